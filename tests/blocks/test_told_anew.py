"""What the CRM was told of a lead is told anew where the lead stands now."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lib.store.engine import Database
from tests.blocks.crm_house import CrmHouse, crm_house
from tests.clients.books import LEAD
from tests.flows.people import Person, new_phone
from tests.store.conftest import db
from tests.store.making import rows, run_sql

__all__ = ["db"]

UNTOLD = [{"crm_score": None, "crm_band": None}]


@pytest.fixture
async def house(db: Database) -> AsyncIterator[CrmHouse]:
    async with crm_house(db) as house:
        await house.begin()
        yield house


@pytest.fixture
async def person(house: CrmHouse) -> Person:
    """Whose lead is here and there, with a score and a call."""
    person = Person()
    await house.says(person, f"нужен кредит, {new_phone()}")
    await house.leads_runs()
    await house.upkeep()
    for statement in (
        "insert into scores (lead_id, score, band, rules, inputs, reasons, crm_score, crm_band) "
        "select id, 80, 'hot', '', '{}', '[]', 80, 'hot' from leads",
        "insert into calls (id, lead_id, entity_type, entity_id, direction, outcome, seconds, "
        "started_at) select 1, id, 'LEAD', crm_id, 'in', 'answered', 60, now() from leads",
        "delete from deliveries where deployment <> 'leads/main'",  # the CRM was told
    ):
        await run_sql(house.db, statement)
    return person


async def told(house: CrmHouse) -> list[dict[str, object]]:
    return await rows(house.db, "select crm_score, crm_band from scores")


async def waiting(house: CrmHouse) -> list[str]:
    """For whom events of the lead wait."""
    found = await rows(
        house.db,
        "select distinct deployment as name from deliveries "
        "where state = 'received' and message ? 'lead_id' order by 1",
    )
    return [row["name"] for row in found]


async def test_of_a_lead_that_was_deleted_there_and_placed_anew(
    house: CrmHouse, person: Person
) -> None:
    house.portal.delete(LEAD, house.there()[0])
    assert await house.mended() == {"deleted_there": 1}
    await house.says(person, "я снова тут")
    await house.leads_runs()
    assert await told(house) == UNTOLD
    assert await waiting(house) == ["calls/main", "scoring/main"]


@pytest.mark.usefixtures("person")
async def test_of_a_lead_that_is_linked_to_where_it_stands(house: CrmHouse) -> None:
    await run_sql(house.db, "update leads set crm_id = null")
    assert await house.mended() == {"not_linked": 1}
    assert await told(house) == UNTOLD
    assert await waiting(house) == ["calls/main", "scoring/main"]


async def test_what_is_said_on_the_same_lead_tells_nothing_anew(
    house: CrmHouse, person: Person
) -> None:
    await house.says(person, "и ещё вопрос")
    await house.leads_runs()
    assert await told(house) == [{"crm_score": 80, "crm_band": "hot"}]
    assert await waiting(house) == ["scoring/main"]
