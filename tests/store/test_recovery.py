"""What a dead run, or a dead dispatcher, had claimed goes back to the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from lib.clients.prefect_api import POOLLESS
from lib.dispatcher import Dispatcher, key_of
from lib.errors import Unavailable
from lib.store.batches import Batches
from lib.store.engine import Database
from tests.store.dispatching import PATIENT, dispatcher, one_run, open_batches, states
from tests.store.making import (
    LEADS,
    accepted,
    arriving,
    claimed,
    deliveries,
    keys_of,
    pauses_end,
    run_sql,
    until_true,
)
from tests.store.memory_runs import MemoryRuns


@pytest.mark.parametrize("is_run_made", [False, True])
async def test_what_a_dispatcher_claimed_that_died_goes_back_uncounted(
    db: Database, runs: MemoryRuns, is_run_made: bool
) -> None:
    await accepted(db, arriving("a"), arriving("b"))
    orphan = await claimed(db)
    key = key_of(orphan)
    if is_run_made:
        await runs.start(LEADS, {"batch_id": str(orphan)}, key=key, name="a +1", tags=[])
    patient = dispatcher(db, runs, PATIENT)
    await patient.turn()
    assert await open_batches(db) == [orphan], "it may still be at work"

    hasty = dispatcher(db, runs)
    await hasty.turn()
    await hasty.turn()
    assert list(runs.crashed) == ([runs.by_key[key]] if is_run_made else [])
    (batch,) = await Batches(db).open()
    assert batch.id != orphan
    assert await keys_of(db, batch.id) == ["a", "b"]
    assert {row["attempts"] for row in (await deliveries(db)).values()} == {0}


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", None])
async def test_what_an_ended_run_left_open_goes_back(
    db: Database, runs: MemoryRuns, state: str | None
) -> None:
    batch_id = await one_run(db, runs)
    run_id = runs.run_of(batch_id)
    if state is None:
        del runs.by_id[run_id]
    else:
        runs.by_id[run_id] = state
    await dispatcher(db, runs, PATIENT).turn()
    (row,) = (await deliveries(db)).values()
    assert (row["state"], row["attempts"]) == ("failed", 1)
    assert (state or "deleted") in row["error"]
    assert await open_batches(db) == []
    assert runs.crashed == {}

    await pauses_end(db)
    await dispatcher(db, runs, PATIENT).turn()
    assert len(runs.batch_ids) == 2
    assert await keys_of(db, runs.batch_ids[1]) == ["telegram:main:1"]


async def test_a_run_whose_process_is_gone_is_crashed_after_the_grace(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    run_id = runs.run_of(batch_id)
    runs.by_id[run_id] = "RUNNING"
    await Batches(db).take(batch_id)  # it has started, and holds no lock

    patient = dispatcher(db, runs, PATIENT)
    await patient.turn()
    await patient.turn()
    assert await open_batches(db) == [batch_id]

    hasty = dispatcher(db, runs)
    await hasty.turn()  # sees it without a lock for the first time
    assert await open_batches(db) == [batch_id]
    await hasty.turn()
    assert list(runs.crashed) == [run_id]
    assert await states(db) == ["failed"]
    assert await Batches(db).take(batch_id) == []


async def test_a_run_that_holds_its_batch_is_left_alone_whatever_prefect_says(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    turner = dispatcher(db, runs)
    async with Batches(db).hold(batch_id):
        await Batches(db).take(batch_id)
        for state in ("PENDING", "RUNNING", "CRASHED", "COMPLETED"):
            runs.by_id[runs.run_of(batch_id)] = state
            await turner.turn()
            await turner.turn()
    assert await open_batches(db) == [batch_id]
    assert runs.crashed == {}


async def test_the_grace_begins_anew_when_the_lock_comes_back(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    runs.by_id[runs.run_of(batch_id)] = "RUNNING"
    await Batches(db).take(batch_id)
    turner = dispatcher(db, runs)
    await turner.turn()
    async with Batches(db).hold(batch_id):
        await turner.turn()
    await until_true(lambda: _is_free(db, batch_id))
    await turner.turn()  # without a lock again, for the first time
    assert await open_batches(db) == [batch_id]


async def _is_free(db: Database, batch_id: UUID) -> bool:
    return not any(batch.held for batch in await Batches(db).open() if batch.id == batch_id)


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCELLING"])
async def test_a_run_that_was_taken_and_never_starts_its_batch_is_crashed(
    db: Database, runs: MemoryRuns, state: str
) -> None:
    batch_id = await one_run(db, runs)
    runs.by_id[runs.run_of(batch_id)] = state
    patient = dispatcher(db, runs, PATIENT)
    await patient.turn()
    await patient.turn()
    assert await open_batches(db) == [batch_id]
    hasty = dispatcher(db, runs)
    await hasty.turn()
    await hasty.turn()
    assert list(runs.crashed) == [runs.run_of(batch_id)]
    assert await states(db) == ["failed"]


async def test_a_scheduled_run_may_wait_for_a_worker_for_ever(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    runs.by_id[runs.run_of(batch_id)] = "SCHEDULED"  # of another pool
    turner = dispatcher(db, runs)
    for _ in range(3):
        await turner.turn()
    assert await open_batches(db) == [batch_id]
    assert runs.crashed == {}


async def test_prefect_away_during_recovery_gives_nothing_back(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    runs.by_id[runs.run_of(batch_id)] = "CRASHED"
    runs.away = True
    turner = dispatcher(db, runs)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await turner.turn()
    assert await open_batches(db) == [batch_id]
    runs.away = False
    await turner.turn()
    assert await open_batches(db) == []


class Told:
    """Somebody on duty, who remembers."""

    def __init__(self) -> None:
        self.dead: list[int] = []
        self.refused: list[str] = []

    async def tell_dead(self, delivery_ids: Sequence[int]) -> None:
        self.dead += delivery_ids

    async def tell_refused(self, deployment: str) -> None:
        self.refused.append(deployment)


async def test_a_person_is_told_of_what_a_crash_has_killed(db: Database, runs: MemoryRuns) -> None:
    told = Told()
    batch_id = await one_run(db, runs)
    await run_sql(db, "update deliveries set attempts = 7")
    runs.by_id[runs.run_of(batch_id)] = "CRASHED"
    await Dispatcher(db, runs, [LEADS], PATIENT, told).turn()
    assert told.dead == [1]
    assert await states(db) == ["dead"]


async def test_a_person_is_told_that_nothing_is_deployed(db: Database, runs: MemoryRuns) -> None:
    told = Told()
    await accepted(db, arriving("telegram:main:1"))
    runs.refuses = True
    turner = Dispatcher(db, runs, [LEADS], PATIENT, told)
    await turner.turn()
    assert told.refused == [LEADS]
    assert await states(db) == ["received"]
    runs.refuses = False
    await turner.turn()
    assert len(runs.batch_ids) == 1, "it is started as soon as somebody takes it"


async def test_a_run_in_a_pool_that_was_deleted_is_not_waited_for(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    runs.by_id[runs.run_of(batch_id)] = POOLLESS
    await dispatcher(db, runs, PATIENT).turn()
    assert runs.crashed == {runs.run_of(batch_id): "The pool of this run was deleted."}
    assert batch_id not in await open_batches(db)
