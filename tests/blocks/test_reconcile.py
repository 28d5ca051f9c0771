"""Our leads and the CRM's are equal again, whatever was lost: a real portal, a real database."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from lib.errors import Denied, Unavailable
from lib.store.engine import Database
from tests.blocks.crm_house import CrmHouse, crm_house
from tests.clients.books import LEAD
from tests.flows.people import Person, new_phone
from tests.store.conftest import db
from tests.store.making import rows, run_sql

__all__ = ["db"]


@pytest.fixture(scope="module")
async def opened(db: Database) -> AsyncIterator[CrmHouse]:
    async with crm_house(db) as house:
        yield house


@pytest.fixture
async def house(opened: CrmHouse) -> CrmHouse:
    await opened.begin()
    return opened


async def placed(house: CrmHouse, text: str = "нужен кредит") -> tuple[Person, dict[str, Any]]:
    """A person whose lead is here and there, and reconciled; its row there."""
    person = Person()
    origin = await house.says(person, f"{text}, {new_phone()}")
    await house.leads_runs()
    await house.upkeep()
    (there,) = house.portal.with_origin(LEAD, [origin])
    return person, there


async def only(house: CrmHouse) -> dict[str, Any]:
    (lead,) = await house.leads()
    return lead


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


async def test_a_new_lead_is_seen_there_and_then_there_is_nothing_to_mend(house: CrmHouse) -> None:
    _, there = await placed(house)
    lead = await only(house)
    assert (lead["crm_stage"], lead["crm_state"], lead["answered_at"]) == ("NEW", "open", None)
    assert lead["crm_changed_at"] == at(there["updatedTime"])
    assert await house.mended() == {}


async def test_what_a_manager_did_is_noted_with_its_time_and_scored_anew(house: CrmHouse) -> None:
    _, there = await placed(house)
    house.portal.update(LEAD, there, {"stageId": "IN_PROCESS"}, [])
    assert await house.mended() == {"changed_there": 1}
    lead = await only(house)
    assert (lead["crm_stage"], lead["crm_state"]) == ("IN_PROCESS", "open")
    assert lead["answered_at"] == at(there["movedTime"])
    waiting = "select key, message from deliveries where key like 'scoring:lead:%:crm:%'"
    assert await rows(house.db, waiting) == []
    # One that waits for the same lead would be enough.
    await run_sql(
        house.db, "update deliveries set state = 'done' where deployment = 'scoring/main'"
    )
    house.portal.update(LEAD, there, {"stageId": "JUNK"}, [])
    assert await house.mended() == {"changed_there": 1}
    (event,) = await rows(house.db, waiting)
    assert event["message"] == {"lead_id": lead["id"]}
    assert event["key"].startswith(f"scoring:lead:{lead['id']}:crm:lost:")
    again = await only(house)
    assert (again["crm_state"], again["answered_at"]) == ("lost", lead["answered_at"])
    assert await house.mended() == {}


async def test_an_event_alone_brings_what_it_names(house: CrmHouse) -> None:
    _, there = await placed(house)
    await house.upkeep_of_events()
    house.portal.update(LEAD, there, {"stageId": "CONVERTED"}, [])
    report = await house.upkeep_of_events()
    assert report is not None
    assert report.mended == {"changed_there": 1}
    assert (await only(house))["crm_state"] == "won"
    house.portal.delete(LEAD, there)
    report = await house.upkeep_of_events()
    assert report is not None
    assert report.mended == {"deleted_there": 1}
    states = await rows(house.db, "select distinct state from deliveries where source = 'potok'")
    assert {row["state"] for row in states} <= {"done", "received"}
    assert await house.upkeep_of_events() is None


async def test_the_first_comment_of_a_person_is_an_answer_by_event_or_without(
    house: CrmHouse,
) -> None:
    person, there = await placed(house)
    await house.says(person, "жду звонка")
    await house.leads_runs()
    await house.upkeep_of_events()
    assert (await only(house))["answered_at"] is None, "the comment was ours"
    for is_heard in (True, False):
        house.portal.comment(LEAD, there["id"], "звонил, просил перезвонить")
        report = await house.upkeep_of_events() if is_heard else await house.upkeep()
        assert report is not None
        assert report.mended == {"changed_there": 1}
        (*_, said) = house.portal.comments[LEAD, there["id"]]
        if is_heard:
            assert (await only(house))["answered_at"] == at(said["CREATED"])
            await run_sql(house.db, "update leads set answered_at = null")


async def test_a_lead_deleted_there_comes_back_with_the_next_message_and_not_before(
    house: CrmHouse,
) -> None:
    person, there = await placed(house, "нужен кредит")
    house.portal.delete(LEAD, there)
    assert await house.mended() == {"deleted_there": 1}
    lead = await only(house)
    assert (lead["crm_id"], lead["crm_deleted_at"] is None) == (None, False)
    assert await house.mended() == {}
    assert house.there() == []
    await house.says(person, "вы мне так и не позвонили")
    await house.leads_runs()
    (anew,) = house.there()
    said = house.said_there(anew["id"])
    assert "нужен кредит" in said
    assert "так и не позвонили" in said
    lead = await only(house)
    assert (lead["crm_id"], lead["crm_deleted_at"]) == (anew["id"], None)


async def test_dead_letters_of_an_outage_are_sent_again_and_refused_ones_are_not(
    house: CrmHouse,
) -> None:
    for text in ("нужен кредит", "нужна ипотека"):
        await house.says(Person(), f"{text}, {new_phone()}")
    house.portal.failures.add({"kind": "html_502", "times": 5})
    await house.leads_runs()
    refused, lost = await house.leads()
    dead = "update deliveries set state = 'dead', attempts = 8, error = :error where key = :key"
    for lead, error in ((refused, "Rejected: no"), (lost, "Unavailable: away")):
        found = "select key from deliveries where id = (select delivery_id from lead_messages where ref = :ref)"  # noqa: E501
        (row,) = await rows(house.db, found, ref=lead["origin"])
        await run_sql(house.db, dead, error=error, key=row["key"])
    house.portal.failures.clear()
    report = await house.upkeep()
    assert report.mended == {"not_in_crm": 1}
    stuck = [row for row in report.rows if row["kind"] == "refused_by_crm"]
    assert [row["lead"] for row in stuck] == [refused["id"]]
    await house.leads_runs()
    assert [lead["originId"] for lead in house.there()] == [lost["origin"]]


async def test_a_message_in_hand_is_left_there(house: CrmHouse) -> None:
    await house.says(Person(), f"нужен кредит, {new_phone()}")
    house.portal.failures.add({"kind": "html_502"})
    await house.leads_runs()
    assert (await house.upkeep()).mended == {}, "it waits for its retry"


async def test_a_lead_whose_row_was_lost_is_made_of_what_is_there(house: CrmHouse) -> None:
    person, there = await placed(house)
    house.portal.update(LEAD, there, {"opportunity": 700_000, "companyTitle": "Ромашка"}, [])
    before = await only(house)
    await run_sql(house.db, "truncate leads, lead_messages, deliveries, watermarks cascade")
    assert await house.mended() == {"unknown_here": 1}
    lead = await only(house)
    for name in ("origin", "source", "person", "name", "phone", "crm_id", "crm_stage"):
        assert lead[name] == before[name], name
    assert (lead["amount"], lead["currency"], lead["company"]) == (700_000, "RUB", "Ромашка")
    assert await house.mended() == {}
    await house.says(person, "и ещё вопрос")
    await house.leads_runs()
    assert len(house.there()) == 1, "it grows"


async def test_ids_that_were_lost_are_found_and_no_word_is_said_twice(house: CrmHouse) -> None:
    person, there = await placed(house)
    await house.says(person, "жду звонка")
    await house.leads_runs()
    await run_sql(house.db, "update leads set crm_id = null, crm_version = 0")
    await run_sql(house.db, "update lead_messages set in_crm = 'no'")
    assert sum((await house.mended()).values()) >= 1
    assert await house.mended() == {}
    assert (await only(house))["crm_id"] == there["id"]
    assert house.said_there(there["id"]).count("жду звонка") == 1
    assert len(house.there()) == 1


async def test_a_missing_right_is_told_by_name_and_stops_nothing_else(
    house: CrmHouse, caplog: pytest.LogCaptureFixture
) -> None:
    _, there = await placed(house)
    _, other = await placed(house)
    house.portal.update(LEAD, there, {"stageId": "JUNK"}, [])
    scope = {"kind": "insufficient_scope", "methods": ["crm.timeline.comment.list"]}
    house.portal.failures.add(scope)
    with caplog.at_level(logging.WARNING):
        report = await house.upkeep()
    assert report.mended == {"changed_there": 1}
    assert [type(error) for error in report.refused[:1]] == [Denied]
    assert "crm.timeline.comment.list: insufficient_scope" in caplog.text
    report.check()
    house.portal.failures.add(scope | {"methods": ["crm.item.list"]})
    house.portal.delete(LEAD, other)
    report = await house.upkeep()
    assert report.mended == {}, "who may not list knows of no deletion"
    with pytest.raises(Denied, match="insufficient_scope"):
        report.check()
    house.portal.failures.clear()
    assert await house.mended() == {"deleted_there": 1}


async def test_a_lead_deleted_between_two_requests_hurts_no_other(
    house: CrmHouse, caplog: pytest.LogCaptureFixture
) -> None:
    _, there = await placed(house)
    await placed(house)
    await placed(house)
    # The list has shown it; when its comments are asked for it is no more.
    house.between.append(lambda: house.portal.delete(LEAD, there))
    with caplog.at_level(logging.WARNING):
        report = await house.upkeep()
    assert (report.mended, house.between) == ({}, [])
    assert "reconcile.refused kind=NotFound" in caplog.text
    report.check()
    assert await house.mended() == {"deleted_there": 1}


async def test_an_unknown_status_is_told_by_name_and_the_rest_goes_on(
    house: CrmHouse, caplog: pytest.LogCaptureFixture
) -> None:
    _, strange = await placed(house)
    _, moved = await placed(house)
    house.portal.update(LEAD, strange, {"stageId": "PROCESSED"}, [])
    strange["stageSemanticId"] = "Q"
    house.portal.update(LEAD, moved, {"stageId": "CONVERTED"}, [])
    with caplog.at_level(logging.WARNING):
        assert await house.mended() == {"changed_there": 2}
    assert f"lead.status_unknown crm_id={strange['id']} semantic='Q'" in caplog.text
    first, second = await house.leads()
    assert (first["crm_stage"], first["crm_state"]) == ("PROCESSED", None)
    assert second["crm_state"] == "won"
    assert await house.mended() == {}


async def test_a_portal_that_is_away_leaves_the_watermark(house: CrmHouse) -> None:
    _, there = await placed(house)
    (before,) = await rows(house.db, "select at from watermarks where name = 'leads'")
    house.portal.update(LEAD, there, {"stageId": "JUNK"}, [])
    house.portal.failures.add({"kind": "html_502"})
    with pytest.raises(Unavailable):
        await house.upkeep()
    (after,) = await rows(house.db, "select at from watermarks where name = 'leads'")
    assert (before, (await only(house))["crm_state"]) == (after, "open")
    assert await house.mended() == {"changed_there": 1}


async def test_an_event_that_cannot_be_read_comes_again_and_others_are_done(
    house: CrmHouse,
) -> None:
    _, there = await placed(house)
    await house.upkeep_of_events()
    house.portal.comment(LEAD, there["id"], "звонил")
    house.portal.update(LEAD, there, {"stageId": "IN_PROCESS"}, [])
    house.portal.failures.add(
        {"kind": "insufficient_scope", "methods": ["crm.timeline.comment.get"]}
    )
    report = await house.upkeep_of_events()
    assert report is not None
    assert report.mended == {"changed_there": 1}
    found = await rows(
        house.db, "select message, state, error from deliveries where state = 'failed'"
    )
    (failed,) = found
    assert "crm_comment_id" in failed["message"]
    assert "insufficient_scope" in failed["error"]
