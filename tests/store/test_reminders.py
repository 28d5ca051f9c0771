"""Which leads may want a person, and that each is remembered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.reminders import Reminders
from lib.store.scores import Scores
from tests.domain.making import T0
from tests.store.test_scores import HOT, WARM, lead

from .making import run_sql

DAY = timedelta(days=1)


async def called(db: Database, lead_id: int, *calls: tuple[str, str, timedelta]) -> None:
    """Calls of a lead: direction, outcome, and when after T0."""
    for number, (direction, outcome, after) in enumerate(calls):
        await run_sql(
            db,
            "insert into calls (id, lead_id, direction, outcome, seconds, started_at) "
            "values (:id, :lead, :direction, :outcome, 1, :at)",
            id=lead_id * 100 + number,
            lead=lead_id,
            direction=direction,
            outcome=outcome,
            at=T0 + after,
        )


async def watched(db: Database, since: timedelta = -DAY) -> dict[int, Any]:
    return {each.lead_id: each for each in await Reminders(db).watched(T0 + since)}


async def test_hot_leads_that_nobody_answered_are_watched(db: Database) -> None:
    hot, warm, answered, closed, old = [
        await lead(db, number, "нужен кредит") for number in range(1, 6)
    ]
    scores = {number: ({}, HOT) for number in (hot, answered, closed, old)}
    await Scores(db).save({**scores, warm: ({}, WARM)}, "v1")
    await run_sql(db, "update leads set answered_at = now() where id = :id", id=answered)
    await run_sql(db, "update leads set crm_state = 'lost' where id = :id", id=closed)
    await run_sql(
        db, "update leads set opened_at = opened_at - interval '9 d' where id=:id", id=old
    )
    found = await watched(db)
    assert list(found) == [hot]
    assert (found[hot].band, found[hot].score, found[hot].reminded) == ("hot", 80, frozenset())


async def test_a_missed_call_is_watched_until_somebody_talked(db: Database) -> None:
    missed, talked, again, ours = [await lead(db, n, "нужен кредит") for n in range(1, 5)]
    hour = timedelta(hours=1)
    await called(db, missed, ("out", "answered", timedelta()), ("in", "missed", hour))
    await called(db, talked, ("in", "missed", hour), ("out", "answered", 2 * hour))
    await called(db, again, ("in", "missed", hour), ("out", "failed", 2 * hour))
    await called(db, ours, ("out", "missed", hour))
    found = await watched(db)
    assert {number: each.missed_at for number, each in found.items()} == {
        missed: T0 + hour,
        again: T0 + hour,
    }
    assert await watched(db, 2 * hour) == {}


async def test_what_was_told_is_remembered_once(db: Database) -> None:
    anna = await lead(db, 1, "нужен кредит")
    await Scores(db).save({anna: ({}, HOT)}, "v1")
    for _ in range(2):
        await Reminders(db).remember([(anna, "hot and unanswered")])
    assert (await watched(db))[anna].reminded == {"hot and unanswered"}


async def test_one_at_a_time_reminds(db: Database) -> None:
    async with Reminders(db).hold():
        with pytest.raises(Rejected):
            await Reminders(db).hold().__aenter__()
