"""Leads on their way into the stand-in portal, over real HTTP."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix_leads import BitrixLeads, Placed
from lib.errors import AnswerLost
from tests.clients.books import (
    COMPANY,
    CONTACT,
    LEAD,
    ORIGIN,
    PHONE,
    Books,
    comments,
    crm_leads,
    filing,
    multifields,
)


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
