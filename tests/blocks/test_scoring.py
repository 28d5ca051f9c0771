"""Telling the CRM of scores: leads that are gone there, and two runs at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from blocks.scoring import ScoringReport, tell_scores
from lib.store.engine import Database
from tests.blocks.crm_house import CrmHouse, crm_house
from tests.clients.books import LEAD
from tests.flows.people import Person, new_phone
from tests.store.conftest import db
from tests.store.making import rows, run_sql

__all__ = ["db"]


@pytest.fixture
async def house(db: Database) -> AsyncIterator[CrmHouse]:
    """Three hot leads of which the CRM was told nothing."""
    async with crm_house(db) as house:
        await house.begin()
        for _ in range(3):
            await house.says(Person(), f"нужен кредит, {new_phone()}")
        await house.leads_runs()
        await run_sql(
            db,
            "insert into scores (lead_id, score, band, rules, inputs, reasons) "
            "select id, 80, 'hot', '', '{}', '[]' from leads",
        )
        yield house


async def told(house: CrmHouse) -> ScoringReport:
    return await tell_scores.fn(house.block, house.db, None, ScoringReport())


async def test_a_lead_that_is_gone_there_is_counted_and_fails_nothing(house: CrmHouse) -> None:
    house.portal.delete(LEAD, house.there()[0])
    report = await told(house)
    assert (report.told, report.problems, report.refused) == (2, {"NotFound": 1}, {})


async def test_two_runs_at_once_comment_once(house: CrmHouse) -> None:
    await asyncio.gather(*(told(house) for _ in range(4)))
    for lead in house.there():
        assert house.said_there(lead["id"]).count("[score:hot]") == 1
    assert await rows(house.db, "select distinct crm_score, crm_band from scores") == [
        {"crm_score": 80, "crm_band": "hot"}
    ]
