"""Leads on their way into the stand-in portal, over real HTTP, with answers lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from deployments.sandbox.bitrix import Portal, bitrix_app
from lib.clients.bitrix import Bitrix
from lib.clients.bitrix_leads import BitrixLeads, Placed
from lib.domain.leads import LeadState
from lib.domain.placement import Filing, Placement, Words, choose_placement
from lib.errors import AnswerLost, Denied, PotokError, RateLimited, Rejected, Unavailable
from tests.domain.making import T0
from tests.sandbox_server import running

LEAD, CONTACT, COMPANY = 1, 3, 4
CODE = "code"
PORTAL = Portal(code=CODE, burst=None)


@pytest.fixture
def portal() -> Portal:
    PORTAL.reset()
    return PORTAL


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[BitrixLeads]:
    app = Starlette(routes=[Mount("/bitrix", bitrix_app(PORTAL))])
    async with (
        running(app) as url,
        Bitrix(f"{url}/bitrix/rest/1/{CODE}/", timeout_s=10) as bitrix,
    ):
        yield BitrixLeads(bitrix, assigned_by_id=1)


class Books:
    """What we know of our leads, kept as the store keeps it."""

    def __init__(self, crm: BitrixLeads, *filings: Filing) -> None:
        self._crm = crm
        self.by_origin = {filing.lead.origin: filing for filing in filings}

    async def ensure(self, *origins: str) -> dict[str, Placed]:
        """Look up, decide, write, note: what a run does with these leads, or with all."""
        filings = [self.by_origin[o] for o in origins or self.by_origin]
        known = await self._crm.find(filings)
        refused = {o: Placed(error=k) for o, k in known.items() if isinstance(k, PotokError)}
        placements = [
            choose_placement(filing, found)
            for filing in filings
            if not isinstance(found := known[filing.lead.origin], PotokError)
        ]
        for placement in placements:
            is_new = placement.action == "add"
            self._mark(placement, placement.filing.words if is_new else placement.comments)
        placed = await self._crm.place(placements)
        for placement in placements:
            self._note(placement, placed[placement.filing.lead.origin])
        return refused | placed

    def says(self, origin: str, text: str, **fields: Any) -> None:
        """The person writes once more, and the lead grows."""
        filing = self.by_origin[origin]
        more = words(f"{origin}-{text}", text)
        version = filing.lead.version + bool(fields)
        lead = filing.lead.model_copy(update={**fields, "version": version})
        self.by_origin[origin] = Filing(lead, (*filing.words, more))

    def _mark(self, placement: Placement, sent: Sequence[Words]) -> None:
        filing = self.by_origin[placement.filing.lead.origin]
        refs = {each.ref for each in sent}
        marked = (replace(w, in_crm="tried") if w.ref in refs else w for w in filing.words)
        self.by_origin[filing.lead.origin] = replace(filing, words=tuple(marked))

    def _note(self, placement: Placement, placed: Placed) -> None:
        filing = self.by_origin[placement.filing.lead.origin]
        if placed.crm_id is None:
            return
        lead = filing.lead.model_copy(
            update={
                "crm_id": placed.crm_id,
                "crm_version": filing.lead.version,
                "crm_linked": filing.lead.crm_linked or placement.action == "link",
            }
        )
        left = tuple(w for w in filing.words if w.ref not in placed.commented)
        self.by_origin[lead.origin] = Filing(lead, left)


def words(ref: str, text: str) -> Words:
    return Words(ref, T0, text)


def filing(number: int = 1, text: str = "нужен кредит", **fields: Any) -> Filing:
    """A lead that the CRM has not got."""
    origin = f"telegram:main:{number}:{number}"
    lead = LeadState(
        id=number,
        origin=origin,
        source="telegram",
        person=f"telegram:{number}",
        opened_at=T0,
        last_message_at=T0 + timedelta(minutes=1),
        **{"name": "Анна", "intent": "кредит", **fields},
    )
    return Filing(lead, (words(origin, text),))


def crm_leads(portal: Portal) -> list[dict[str, Any]]:
    return list(portal.items[LEAD].values())


def comments(portal: Portal, crm_id: int) -> list[str]:
    """The words on a lead's timeline, without time and ref."""
    return [row["COMMENT"].split("\n")[1] for row in portal.comments.get((LEAD, crm_id), [])]


def multifields(kind: str, value: str) -> list[dict[str, Any]]:
    return [{"id": None, "typeId": kind, "valueType": "WORK", "value": value}]


ORIGIN = filing().lead.origin
PHONE = "+79161234567"


async def test_a_lead_is_added_with_its_fields_and_words(crm: BitrixLeads, portal: Portal) -> None:
    whole = filing(
        phone=PHONE, email="anna@mail.ru", company="Ромашка", amount=Decimal(5_000_000),
        currency="RUB",
    )  # fmt: skip
    placed = await Books(crm, whole).ensure()
    (lead,) = crm_leads(portal)
    assert placed == {ORIGIN: Placed(lead["id"], (ORIGIN,))}
    assert (lead["originatorId"], lead["originId"], lead["sourceId"]) == ("potok", ORIGIN, "WEB")
    assert lead["title"] == "Telegram: Анна — кредит, 5 000 000 ₽"
    assert (lead["opportunity"], lead["currencyId"], lead["companyTitle"]) == (
        5_000_000,
        "RUB",
        "Ромашка",
    )
    assert [entry["value"] for entry in lead["fm"]] == [PHONE, "anna@mail.ru"]
    assert "нужен кредит" in lead["comments"]
    assert f"[{ORIGIN}]" in lead["comments"]
    assert comments(portal, lead["id"]) == []


async def test_to_repeat_does_nothing(crm: BitrixLeads, portal: Portal) -> None:
    books = Books(crm, filing(phone=PHONE))
    await books.ensure()
    before, asked = crm_leads(portal), portal.requests.total()
    assert await books.ensure() == {ORIGIN: Placed(before[0]["id"])}
    assert crm_leads(portal) == before
    assert portal.requests.total() == asked  # nothing to ask either


@pytest.mark.parametrize("how", ["close", "504"])
async def test_a_lead_whose_answer_was_lost_is_adopted(
    crm: BitrixLeads, portal: Portal, how: str
) -> None:
    books = Books(crm, filing(phone=PHONE))
    portal.failures.add({"kind": "lose_answer", "how": how})
    with pytest.raises(AnswerLost):
        await books.ensure()
    (lead,) = crm_leads(portal)
    assert await books.ensure() == {ORIGIN: Placed(lead["id"], (ORIGIN,))}
    (lead,) = crm_leads(portal)
    assert [entry["value"] for entry in lead["fm"]] == [PHONE]
    assert comments(portal, lead["id"]) == []


async def test_words_that_came_after_a_lost_answer_are_commented_once(
    crm: BitrixLeads, portal: Portal
) -> None:
    books = Books(crm, filing())
    portal.failures.add({"kind": "lose_answer"})
    with pytest.raises(AnswerLost):
        await books.ensure()
    books.says(ORIGIN, "это срочно", phone=PHONE)
    portal.failures.add({"kind": "lose_answer"})  # the adoption's answer is lost too
    with pytest.raises(AnswerLost):
        await books.ensure()
    placed = await books.ensure()
    assert placed[ORIGIN].error is None
    (lead,) = crm_leads(portal)
    assert comments(portal, lead["id"]) == ["это срочно"]
    assert [entry["value"] for entry in lead["fm"]] == [PHONE]
    assert books.by_origin[ORIGIN].words == ()


async def test_words_whose_request_never_left_are_not_lost(
    crm: BitrixLeads, portal: Portal
) -> None:
    books = Books(crm, filing())
    portal.failures.add({"kind": "lose_answer"})
    with pytest.raises(AnswerLost):
        await books.ensure()
    books.says(ORIGIN, "это срочно")

    class Unlucky(BitrixLeads):
        async def place(self, placements: Sequence[Placement]) -> dict[str, Placed]:
            raise Unavailable("no place in the limit")

    unlucky = Books(Unlucky(crm._bitrix), books.by_origin[ORIGIN])
    with pytest.raises(Unavailable):
        await unlucky.ensure()
    await Books(crm, unlucky.by_origin[ORIGIN]).ensure()
    (lead,) = crm_leads(portal)
    assert comments(portal, lead["id"]) == ["это срочно"]


async def test_the_oldest_of_ours_is_adopted_when_the_portal_has_two(
    crm: BitrixLeads, portal: Portal
) -> None:
    ours = {"originatorId": "potok", "originId": ORIGIN}
    portal.add(LEAD, {"originatorId": "another", "originId": ORIGIN}, [])
    first = portal.add(LEAD, ours, [])
    portal.add(LEAD, ours, [])
    portal.add(LEAD, {"originatorId": "potok", "originId": ORIGIN.upper()}, [])
    placed = await Books(crm, filing()).ensure()
    assert placed[ORIGIN].crm_id == first["id"]
    assert len(crm_leads(portal)) == 4


@pytest.mark.parametrize(
    ("kind", "stored", "field"),
    [
        ("PHONE", "8 (916) 123-45-67", {"phone": PHONE}),
        ("EMAIL", "Anna@Mail.ru", {"email": "anna@mail.ru"}),
    ],
)
async def test_an_open_lead_that_is_known_is_linked_and_its_fields_stay(
    crm: BitrixLeads, portal: Portal, kind: str, stored: str, field: dict[str, str]
) -> None:
    known = portal.add(LEAD, {"title": "Анна, по рекомендации"}, multifields(kind, stored))
    books = Books(crm, filing(**field))
    assert (await books.ensure())[ORIGIN] == Placed(known["id"], (ORIGIN,))
    assert books.by_origin[ORIGIN].lead.crm_linked
    books.says(ORIGIN, "ещё вопрос", amount=Decimal(1))
    await books.ensure()
    (lead,) = crm_leads(portal)
    assert (lead["title"], len(lead["fm"])) == ("Анна, по рекомендации", 1)
    assert comments(portal, lead["id"]) == ["нужен кредит", "ещё вопрос"]


async def test_a_linked_leads_comment_is_written_once_though_its_answer_was_lost(
    crm: BitrixLeads, portal: Portal
) -> None:
    known = portal.add(LEAD, {}, multifields("PHONE", PHONE))
    books = Books(crm, filing(phone=PHONE))
    portal.failures.add({"kind": "lose_answer"})
    with pytest.raises(AnswerLost):
        await books.ensure()
    books.says(ORIGIN, "ещё")
    placed = await books.ensure()
    assert placed[ORIGIN].crm_id == known["id"]
    assert comments(portal, known["id"]) == ["нужен кредит", "ещё"]


@pytest.mark.parametrize("stage", ["JUNK", "CONVERTED"])
async def test_a_closed_lead_is_not_linked(crm: BitrixLeads, portal: Portal, stage: str) -> None:
    closed = portal.add(LEAD, {"stageId": stage}, multifields("PHONE", PHONE))
    placed = await Books(crm, filing(phone=PHONE)).ensure()
    assert placed[ORIGIN].crm_id != closed["id"]
    assert len(crm_leads(portal)) == 2


async def test_the_oldest_open_lead_of_several_is_linked(crm: BitrixLeads, portal: Portal) -> None:
    portal.add(LEAD, {"stageId": "JUNK"}, multifields("PHONE", PHONE))
    first = portal.add(LEAD, {}, multifields("EMAIL", "anna@mail.ru"))
    portal.add(LEAD, {}, multifields("PHONE", PHONE))
    placed = await Books(crm, filing(phone=PHONE, email="anna@mail.ru")).ensure()
    assert placed[ORIGIN].crm_id == first["id"]


async def test_a_known_contact_and_company_are_linked_to_the_new_lead(
    crm: BitrixLeads, portal: Portal
) -> None:
    contact = portal.add(CONTACT, {}, multifields("PHONE", PHONE))
    company = portal.add(COMPANY, {}, multifields("EMAIL", "office@romashka.ru"))
    await Books(crm, filing(phone=PHONE, email="office@romashka.ru")).ensure()
    (lead,) = crm_leads(portal)
    assert (lead["contactId"], lead["companyId"]) == (contact["id"], company["id"])


async def test_an_update_changes_fields_and_doubles_no_phone(
    crm: BitrixLeads, portal: Portal
) -> None:
    books = Books(crm, filing())
    await books.ensure()
    (lead,) = crm_leads(portal)
    # A manager has written down another number before the person gave theirs.
    portal.update(LEAD, lead, {}, multifields("PHONE", "+74951112233"))
    books.says(ORIGIN, PHONE, phone=PHONE)
    await books.ensure()
    books.says(ORIGIN, "точнее 7 млн", amount=Decimal(7_000_000), currency="RUB")
    portal.failures.add({"kind": "lose_answer"})
    with pytest.raises(AnswerLost):
        await books.ensure()
    await books.ensure()
    (lead,) = crm_leads(portal)
    assert [entry["value"] for entry in lead["fm"]] == ["+74951112233", PHONE]
    assert lead["opportunity"] == 7_000_000
    assert comments(portal, lead["id"]) == [PHONE, "точнее 7 млн"]


async def test_a_hundred_and_twenty_leads_go_in_a_few_requests(
    crm: BitrixLeads, portal: Portal
) -> None:
    filings = [filing(n, phone=f"+7916{n:07}") for n in range(1, 121)]
    placed = await Books(crm, *filings).ensure()
    assert all(each.error is None for each in placed.values())
    assert sorted(lead["originId"] for lead in crm_leads(portal)) == sorted(placed)
    assert {lead["originId"]: lead["id"] for lead in crm_leads(portal)} == {
        origin: each.crm_id for origin, each in placed.items()
    }
    assert portal.requests == {"batch": 3 + 3}  # 125 lookups and 120 leads, fifty a request


async def test_a_batch_that_is_cut_off_in_the_middle_is_finished_without_doubles(
    crm: BitrixLeads, portal: Portal
) -> None:
    books = Books(crm, *(filing(n, phone=f"+7916{n:07}") for n in range(1, 121)))
    portal.failures.add({"kind": "lose_answer"})
    with pytest.raises(AnswerLost):
        await books.ensure()
    assert len(crm_leads(portal)) == 50
    placed = await books.ensure()
    assert all(each.error is None for each in placed.values())
    origins = [lead["originId"] for lead in crm_leads(portal)]
    assert len(origins) == len(set(origins)) == 120
    assert all(len(lead["fm"]) == 1 for lead in crm_leads(portal))
    assert portal.comments == {}


async def test_poison_fails_alone(crm: BitrixLeads, portal: Portal) -> None:
    filings = [filing(n) for n in range(1, 61)]
    poison = filing(61, name="ядовитое имя")
    portal.failures.add({"kind": "poison", "marker": "ядовитое"})
    placed = await Books(crm, *filings[:30], poison, *filings[30:]).ensure()
    failed = {origin for origin, each in placed.items() if each.error}
    assert failed == {poison.lead.origin}
    assert isinstance(placed[poison.lead.origin].error, Rejected)
    assert placed[poison.lead.origin].crm_id is None
    assert len(crm_leads(portal)) == 60


async def test_a_refused_comment_leaves_the_lead_and_the_others(
    crm: BitrixLeads, portal: Portal
) -> None:
    books = Books(crm, filing())
    await books.ensure()
    books.says(ORIGIN, "ядовитые слова", amount=Decimal(3))
    books.says(ORIGIN, "хорошие слова")
    portal.failures.add({"kind": "poison", "marker": "ядовитые"})
    placed = (await books.ensure())[ORIGIN]
    (lead,) = crm_leads(portal)
    assert placed.error is None
    assert [type(error) for error in placed.unsaid.values()] == [Rejected]
    assert placed.crm_id == lead["id"]
    assert lead["opportunity"] == 3
    assert comments(portal, lead["id"]) == ["хорошие слова"]
    assert [each.text for each in books.by_origin[ORIGIN].words] == ["ядовитые слова"]


@pytest.mark.parametrize("method", ["crm.item.list", "crm.duplicate.findbycomm"])
async def test_nobody_is_added_while_lookups_are_refused(
    crm: BitrixLeads, portal: Portal, method: str
) -> None:
    books = Books(crm, *(filing(n, phone=f"+7916{n:07}") for n in range(1, 61)))
    portal.failures.add({"kind": "insufficient_scope", "methods": [method]})
    placed = await books.ensure()
    assert {type(each.error) for each in placed.values()} == {Denied}
    assert crm_leads(portal) == []
    portal.failures.clear()
    assert not any(each.error for each in (await books.ensure()).values())
    assert len(crm_leads(portal)) == 60


async def test_a_refused_lookup_stops_only_the_leads_it_was_for(
    crm: BitrixLeads, portal: Portal
) -> None:
    filings = [filing(n) for n in range(1, 61)]
    portal.failures.add({"kind": "poison", "marker": filings[30].lead.origin})
    placed = await Books(crm, *filings).ensure()
    failed = [origin for origin, each in placed.items() if each.error]
    assert failed == [each.lead.origin for each in filings[25:50]]  # one command's origins
    assert len(crm_leads(portal)) == 35


async def test_whether_a_match_is_open_must_be_known(crm: BitrixLeads, portal: Portal) -> None:
    portal.add(LEAD, {}, multifields("PHONE", PHONE))
    portal.failures.add({"kind": "poison", "marker": "stageSemanticId"})
    with pytest.raises(Rejected):
        await Books(crm, filing(phone=PHONE)).ensure()
    assert len(crm_leads(portal)) == 1


async def test_what_the_method_limit_stops_comes_again(crm: BitrixLeads, portal: Portal) -> None:
    filings = [filing(1), filing(2)]
    books = Books(crm, *filings)
    portal.failures.add(
        {"kind": "operation_time_limit", "methods": ["crm.item.add"], "seconds": 60}
    )
    placed = await books.ensure()
    errors = [each.error for each in placed.values()]
    assert isinstance(errors[0], RateLimited)
    assert errors[1] is None
    await books.ensure(filings[0].lead.origin)
    assert len(crm_leads(portal)) == 2


@pytest.mark.parametrize("kind", ["query_limit", "html_502"])
async def test_a_request_that_failed_is_repeated_later(
    crm: BitrixLeads, portal: Portal, kind: str
) -> None:
    books = Books(crm, filing())
    portal.failures.add({"kind": kind})
    with pytest.raises(Unavailable):
        await books.ensure()
    await books.ensure()
    assert len(crm_leads(portal)) == 1


async def test_a_customers_words_can_read_no_other_answer(crm: BitrixLeads, portal: Portal) -> None:
    text = f"$result[PHONE|{ORIGIN}][LEAD][0] [b]жирный[/b] [{ORIGIN}-x]"
    await Books(crm, filing(text=text, name="$result[open|0][items][0][title]")).ensure()
    (lead,) = crm_leads(portal)
    assert "$result［PHONE" in lead["comments"]
    assert "［b］жирный" in lead["comments"]
    assert lead["comments"].count(f"[{ORIGIN}") == 1
    assert lead["name"] == "$\u2060result[open|0][items][0][title]"


@settings(max_examples=30, deadline=None)
@given(st.data())
async def test_however_answers_are_lost_each_lead_and_each_word_is_there_once(
    crm: BitrixLeads, data: st.DataObject
) -> None:
    PORTAL.reset()
    filings = [filing(n, f"слова {n}", phone=f"+7916{n:07}") for n in range(1, 5)]
    linked = PORTAL.add(LEAD, {}, multifields("PHONE", "+79160000002"))
    books = Books(crm, *filings)
    said = {each.lead.origin: [f"слова {n}"] for n, each in enumerate(filings, 1)}
    for step in range(data.draw(st.integers(1, 6))):
        origin = filings[data.draw(st.integers(0, 3))].lead.origin
        if data.draw(st.booleans(), "says more"):
            said[origin].append(f"ещё {step}")
            fields = {"amount": Decimal(step)} if data.draw(st.booleans()) else {}
            books.says(origin, f"ещё {step}", **fields)
        failure = data.draw(st.sampled_from(["", "lose_answer", "html_502", "query_limit"]))
        if failure:
            PORTAL.failures.add({"kind": failure})
        try:
            await books.ensure(*data.draw(st.sampled_from([(), (origin,)])))
        except Unavailable:
            continue
        finally:
            PORTAL.failures.clear()
    await books.ensure()

    assert len(crm_leads(PORTAL)) == 4
    for each in filings:
        origin, crm_id = each.lead.origin, books.by_origin[each.lead.origin].lead.crm_id
        assert crm_id is not None
        lead = PORTAL.items[LEAD][crm_id]
        timeline = PORTAL.comments.get((LEAD, crm_id), [])
        everything = "\n".join([lead["comments"] or "", *(row["COMMENT"] for row in timeline)])
        for text in said[origin]:
            assert everything.count(f"\n{text}\n") == 1
        assert len(lead["fm"]) == 1
        assert (lead["originId"] is None) == (crm_id == linked["id"])
        assert books.by_origin[origin].words == ()
