"""Whatever happens to events, answers, the portal and our database: two runs mend all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.reconcile import state_from
from lib.errors import PotokError
from lib.store.engine import Database
from tests.blocks.crm_house import CrmHouse, crm_house
from tests.clients.books import LEAD, multifields
from tests.flows.people import Person, new_phone
from tests.store.conftest import db
from tests.store.making import pauses_end, rows, run_sql

__all__ = ["db"]

PEOPLE = 3
STAGES = ("NEW", "IN_PROCESS", "PROCESSED", "JUNK", "CONVERTED")
FAILURES = ("", "", "lose_answer", "html_502", "query_limit", "insufficient_scope")
METHODS = ("crm.item.list", "crm.item.get", "crm.timeline.comment.list", "crm.item.add")


@pytest.fixture(scope="module")
async def opened(db: Database) -> AsyncIterator[CrmHouse]:
    async with crm_house(db) as house:
        yield house


class History:
    """What happened, drawn step by step, and what the people have said."""

    def __init__(self, house: CrmHouse, data: st.DataObject) -> None:
        self.house, self.data = house, data
        self.people = [Person() for _ in range(PEOPLE)]
        one, other = new_phone(), new_phone()
        self.phones = [one, other, self.draw(other, new_phone())]
        self.texts = 0

    def draw(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    async def step(self) -> None:
        often = (self.message, self.run_of_leads, self.manager)
        seldom = (self.reconcile, self.events, self.lost_events)
        rarely = (self.restore, self.lose_rows, self.outage)
        what = self.draw(*often, *often, *seldom, *rarely)
        await what()

    async def message(self) -> None:
        number = self.draw(*range(PEOPLE))
        self.texts += 1
        text = f"слово-{self.texts}- нужен кредит {self.phones[number]}"
        await self.house.says(self.people[number], text)

    async def run_of_leads(self) -> None:
        await pauses_end(self.house.db)
        await self.failing(self.house.leads_runs)

    async def reconcile(self) -> None:
        await self.failing(self.house.upkeep)

    async def events(self) -> None:
        await self.failing(self.house.upkeep_of_events)

    async def failing(self, run: Any) -> None:
        if kind := self.draw(*FAILURES):
            at = {"methods": [self.draw(*METHODS)]} if kind == "insufficient_scope" else {}
            self.house.portal.failures.add({"kind": kind} | at)
        try:
            await run()
        except PotokError:
            return
        finally:
            self.house.portal.failures.clear()

    async def lost_events(self) -> None:
        self.house.portal.failures.add({"kind": "lose_event", "times": self.draw(1, 2, 3)})

    async def manager(self) -> None:
        portal = self.house.portal
        if not portal.items[LEAD]:
            return
        lead = portal.items[LEAD][self.draw(*portal.items[LEAD])]
        does = self.draw("move", "move", "comment", "delete", "rename")
        if does == "move":
            portal.update(LEAD, lead, {"stageId": self.draw(*STAGES)}, [])
        elif does == "comment":
            portal.comment(LEAD, lead["id"], "звонил")
        elif does == "rename":
            portal.update(LEAD, lead, {"title": "по рекомендации"}, [])
        else:
            portal.delete(LEAD, lead)

    async def restore(self) -> None:
        """An older copy of our database has no id of some leads, nor what their words became."""
        lead = self.draw(*range(1, PEOPLE + 1))
        unfiled = "crm_id = null, crm_version = 0, crm_linked = false, crm_stage = null"
        await run_sql(self.house.db, f"update leads set {unfiled} where id = :id", id=lead)
        if self.draw(True, False):
            words = "update lead_messages set in_crm = 'no' where lead_id = :id"
            await run_sql(self.house.db, words, id=lead)
        if self.draw(True, False):
            await run_sql(self.house.db, "truncate watermarks")

    async def lose_rows(self) -> None:
        """An older copy of our database knows nothing of a person."""
        person = f"telegram:{self.draw(*self.people).id}"
        for table in ("lead_messages", "leads", "deliveries"):
            await run_sql(
                self.house.db, f"delete from {table} where person = :person", person=person
            )
        await run_sql(self.house.db, "truncate watermarks")

    async def outage(self) -> None:
        """So long that whatever failed is given up."""
        dead = "update deliveries set state = 'dead', attempts = 8 where state = 'failed'"
        await run_sql(self.house.db, dead)


async def check_equal(house: CrmHouse) -> None:
    """What is here is there and the other way round, each lead and each word once."""
    ours, portal = await house.leads(), house.portal
    words = await rows(house.db, "select lead_id, text from lead_messages")
    for lead in ours:
        if lead["crm_id"] is None:
            assert lead["crm_deleted_at"] is not None
            assert portal.with_origin(LEAD, [lead["origin"]]) == []
            continue
        there = portal.items[LEAD][lead["crm_id"]]
        assert lead["crm_deleted_at"] is None
        assert lead["crm_linked"] or there["originId"] == lead["origin"]
        assert lead["crm_stage"] == there["stageId"]
        assert lead["crm_state"] == state_from(there["stageSemanticId"])
        assert lead["crm_linked"] or lead["crm_stage"] == "NEW" or lead["answered_at"]
        told = house.said_there(there["id"])
        for word in words:
            if word["lead_id"] == lead["id"]:
                assert told.count(word["text"]) == 1, "every word, and once"
    origins = [lead["originId"] for lead in house.there() if lead["originId"]]
    assert len(origins) == len(set(origins))
    known = {lead["origin"] for lead in ours}, {lead["crm_id"] for lead in ours}
    assert all(t["originId"] in {None, *known[0]} or t["id"] in known[1] for t in house.there())


@settings(max_examples=40)
@given(st.data())
async def test_two_runs_leave_no_difference(opened: CrmHouse, data: st.DataObject) -> None:
    house = opened
    await house.begin()
    history = History(house, data)
    if data.draw(st.booleans(), "one is known by phone"):
        house.portal.add(LEAD, {}, multifields("PHONE", history.phones[0]))
    await history.message()
    for _ in range(data.draw(st.integers(2, 14), "steps")):
        await history.step()

    await house.mended()
    await house.mended()
    await check_equal(house)
    assert await house.mended() == {}
