"""Leads on their way into a portal that loses answers, refuses, and is cut off in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix_leads import BitrixLeads, Placed
from lib.domain.placement import Placement
from lib.errors import AnswerLost, Denied, RateLimited, Rejected, Unavailable
from tests.clients.books import (
    LEAD,
    ORIGIN,
    PHONE,
    PORTAL,
    Books,
    comments,
    crm_leads,
    filing,
    multifields,
)


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
    await books.ensure_unheard()
    books.says(ORIGIN, "это срочно", phone=PHONE)
    await books.ensure_unheard()  # the adoption's answer is lost too
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
    await books.ensure_unheard()
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


async def test_a_linked_leads_comment_is_written_once_though_its_answer_was_lost(
    crm: BitrixLeads, portal: Portal
) -> None:
    known = portal.add(LEAD, {}, multifields("PHONE", PHONE))
    books = Books(crm, filing(phone=PHONE))
    await books.ensure_unheard()
    books.says(ORIGIN, "ещё")
    placed = await books.ensure()
    assert placed[ORIGIN].crm_id == known["id"]
    assert comments(portal, known["id"]) == ["нужен кредит", "ещё"]


async def test_a_batch_that_is_cut_off_in_the_middle_is_finished_without_doubles(
    crm: BitrixLeads, portal: Portal
) -> None:
    books = Books(crm, *(filing(n, phone=f"+7916{n:07}") for n in range(1, 121)))
    await books.ensure_unheard()
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


@settings(max_examples=30)
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
