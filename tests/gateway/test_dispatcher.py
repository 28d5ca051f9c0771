from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from lib.errors import Rejected, Unavailable
from lib.gateway.dispatcher import Dispatcher, DispatchLimits
from lib.store.batches import Batches
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.gateway.memory_runs import MemoryRuns
from tests.store.making import (
    LEADS,
    accepted,
    arriving,
    claimed,
    deliveries,
    keys_of,
    pauses_end,
    rows,
    run_sql,
    settled,
    until_true,
)

# A look at open batches in every turn, and patience only where a test wants it.
QUICK = DispatchLimits(recover_s=0, grace_s=0, pending_s=0, poll_s=0.02)
PATIENT = replace(QUICK, grace_s=3600, pending_s=3600)


@pytest.fixture
def runs() -> MemoryRuns:
    return MemoryRuns()


def dispatcher(db: Database, runs: MemoryRuns, limits: DispatchLimits = QUICK) -> Dispatcher:
    return Dispatcher(db, runs, [LEADS], limits)


@asynccontextmanager
async def turning(turner: Dispatcher) -> AsyncIterator[None]:
    """A dispatcher at work for as long as the block lasts."""
    running = asyncio.create_task(turner.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def open_batches(db: Database) -> list[UUID]:
    return [batch.id for batch in await Batches(db).open()]


async def one_run(db: Database, runs: MemoryRuns, key: str = "telegram:main:1") -> UUID:
    """A delivery in the hands of a run; its batch."""
    await accepted(db, arriving(key))
    await dispatcher(db, runs, PATIENT).turn()
    return runs.batch_ids[-1]


async def states(db: Database) -> list[str]:
    return [row["state"] for row in (await deliveries(db)).values()]


async def test_one_message_is_one_run_under_its_own_name(db: Database, runs: MemoryRuns) -> None:
    batch_id = await one_run(db, runs)
    assert runs.created == [
        {
            "deployment": LEADS,
            "key": f"batch:{batch_id}",
            "name": "telegram:main:1",
            "tags": ["inbox"],
            "batch_id": str(batch_id),
        }
    ]
    (batch,) = await Batches(db).open()
    assert (batch.id, batch.flow_run_id) == (batch_id, runs.run_of(batch_id))


async def test_what_gathers_while_runs_are_busy_goes_together(
    db: Database, runs: MemoryRuns
) -> None:
    turner = dispatcher(db, runs, replace(PATIENT, max_open=2, max_batch=5))
    for _ in range(2):
        await accepted(db, arriving())
        await turner.turn()
    await accepted(db, *(arriving(f"late:{number}") for number in range(7)))
    await turner.turn()
    assert len(runs.batch_ids) == 2
    for batch_id in list(runs.batch_ids):
        await settled(db, batch_id)
    await turner.turn()
    assert [each["name"] for each in runs.created[2:]] == ["late:0 +4", "late:5 +1"]


async def test_prefect_away_loses_nothing_and_doubles_nothing(
    db: Database, runs: MemoryRuns
) -> None:
    runs.away = True
    turner = dispatcher(db, runs)
    await accepted(db, arriving())
    for _ in range(3):
        with pytest.raises(Unavailable):
            await turner.turn()
    await accepted(db, arriving())
    runs.away = False
    await turner.turn()
    await turner.turn()
    assert len(runs.by_key) == len(runs.batch_ids) == 2
    assert set(await open_batches(db)) == set(runs.batch_ids)
    assert all(batch.flow_run_id for batch in await Batches(db).open())


async def test_a_loop_outlives_prefect_and_a_bug(
    db: Database, runs: MemoryRuns, caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling(MemoryRuns):
        stumbles = 0

        async def create_run(self, *args: Any, **named: Any) -> UUID:
            self.stumbles += 1
            if self.stumbles < 3:
                raise KeyError("a bug")
            return await super().create_run(*args, **named)

    stumbling = Stumbling()
    await accepted(db, arriving())
    with caplog.at_level(logging.CRITICAL, "lib.gateway.dispatcher"):
        turner = dispatcher(db, stumbling)
        async with turning(turner):
            await until_true(lambda: _has(stumbling.created))
            await settled(db, stumbling.batch_ids[0])
            stumbling.away = True
            await accepted(db, arriving())
            turner.wake()
            await until_true(lambda: _has(turner.is_alive()))
            stumbling.away = False
            await until_true(lambda: _has(len(stumbling.batch_ids) == 2))


async def _has(thing: object) -> bool:
    return bool(thing)


async def test_two_dispatchers_make_one_run_of_a_batch(db: Database, runs: MemoryRuns) -> None:
    await accepted(db, *(arriving() for _ in range(20)))
    limits = replace(PATIENT, max_open=50, max_batch=1)
    several = [dispatcher(db, runs, limits) for _ in range(3)]
    for _ in range(4):
        await asyncio.gather(*(each.turn() for each in several))
    assert len(runs.by_key) == 20
    assert {batch.flow_run_id for batch in await Batches(db).open()} == set(runs.by_key.values())
    assert await states(db) == ["claimed"] * 20


async def test_a_batch_of_a_dispatcher_that_died_is_started_by_another(
    db: Database, runs: MemoryRuns
) -> None:
    await accepted(db, arriving("a"), arriving("b"))
    orphan = await claimed(db)
    await dispatcher(db, runs, PATIENT).turn()
    assert runs.batch_ids == [orphan]
    assert runs.created[0]["name"] == "a +1"
    (batch,) = await Batches(db).open()
    assert batch.flow_run_id == runs.run_of(orphan)


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", None])
async def test_what_an_ended_run_left_open_goes_back(
    db: Database, runs: MemoryRuns, state: str | None
) -> None:
    batch_id = await one_run(db, runs)
    run_id = runs.run_of(batch_id)
    if state is None:
        del runs.states[run_id]
    else:
        runs.states[run_id] = state
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
    runs.states[run_id] = "RUNNING"
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
            runs.states[runs.run_of(batch_id)] = state
            await turner.turn()
            await turner.turn()
    assert await open_batches(db) == [batch_id]
    assert runs.crashed == {}


async def test_the_grace_begins_anew_when_the_lock_comes_back(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    runs.states[runs.run_of(batch_id)] = "RUNNING"
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
    runs.states[runs.run_of(batch_id)] = state
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
    turner = dispatcher(db, runs)
    for _ in range(3):
        await turner.turn()
    assert await open_batches(db) == [batch_id]
    assert runs.crashed == {}


async def test_prefect_away_during_recovery_gives_nothing_back(
    db: Database, runs: MemoryRuns
) -> None:
    batch_id = await one_run(db, runs)
    runs.states[runs.run_of(batch_id)] = "CRASHED"
    runs.away = True
    turner = dispatcher(db, runs)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await turner.turn()
    assert await open_batches(db) == [batch_id]
    runs.away = False
    await turner.turn()
    assert await open_batches(db) == []


async def test_a_person_is_told_of_what_a_crash_has_killed(db: Database, runs: MemoryRuns) -> None:
    told: list[int] = []

    async def tell(dead: list[int]) -> None:
        told.extend(dead)

    batch_id = await one_run(db, runs)
    await run_sql(db, "update deliveries set attempts = 7")
    runs.states[runs.run_of(batch_id)] = "CRASHED"
    await Dispatcher(db, runs, [LEADS], PATIENT, tell_dead=tell).turn()
    assert told == [1]
    assert await states(db) == ["dead"]


async def test_a_missing_deployment_does_not_stop_the_others(db: Database) -> None:
    class Lacking(MemoryRuns):
        async def create_run(self, deployment: str, *args: Any, **named: Any) -> UUID:
            if deployment != LEADS:
                raise Rejected("no such deployment")
            return await super().create_run(deployment, *args, **named)

    lacking = Lacking()
    await accepted(db, arriving(deployment="calls/main"), arriving("ours"))
    turner = Dispatcher(db, lacking, ["calls/main", LEADS], replace(PATIENT, max_open=1))
    async with turning(turner):
        await until_true(lambda: _has(lacking.created))
    assert [each["name"] for each in lacking.created][:1] == ["ours"]


async def test_it_wakes_when_a_run_has_settled_and_when_a_door_calls(
    db: Database, runs: MemoryRuns
) -> None:
    turner = dispatcher(db, runs, replace(PATIENT, max_open=1, poll_s=3600))
    listening = (
        "select pid from pg_stat_activity where query = 'listen potok_inbox' "
        "and datname = current_database() and state = 'idle'"
    )
    async with turning(turner):
        await until_true(lambda: rows(db, listening))
        await accepted(db, arriving("a"))
        turner.wake()
        await until_true(lambda: _has(len(runs.batch_ids) == 1))
        await accepted(db, arriving("b"))
        await settled(db, runs.batch_ids[0])
        await until_true(lambda: _has(len(runs.batch_ids) == 2))
    assert await keys_of(db, runs.batch_ids[1]) == ["b"]


async def test_it_listens_again_after_its_connection_broke(
    db: Database, runs: MemoryRuns, caplog: pytest.LogCaptureFixture
) -> None:
    find = (
        "select pid from pg_stat_activity where query = 'listen potok_inbox' "
        "and datname = current_database()"
    )
    async with turning(dispatcher(db, runs)):
        await until_true(lambda: rows(db, find))
        (before,) = await rows(db, find)
        await run_sql(db, "select pg_terminate_backend(:pid)", pid=before["pid"])

        async def listens_anew() -> bool:
            return [row["pid"] for row in await rows(db, find)] not in ([], [before["pid"]])

        await until_true(listens_anew)
    assert "dispatch.listen_away" in caplog.text


async def test_a_stopped_loop_leaves_no_connection(db: Database, runs: MemoryRuns) -> None:
    listening = (
        "select pid from pg_stat_activity where query = 'listen potok_inbox' "
        "and datname = current_database()"
    )
    turner = dispatcher(db, runs)
    assert not turner.is_alive()
    async with turning(turner):
        await until_true(lambda: rows(db, listening))
        await until_true(lambda: _has(turner.is_alive()))

    async def is_gone() -> bool:
        return not await rows(db, listening)

    await until_true(is_gone)


async def test_every_delivery_ends_though_runs_die_and_prefect_comes_and_goes(
    db: Database, runs: MemoryRuns
) -> None:
    """Two dispatchers, and runs of which every third is killed."""
    limits = replace(QUICK, max_open=3, max_batch=8)
    keys = [f"telegram:main:{number}" for number in range(60)]
    inbox = Inbox(db)
    async with turning(dispatcher(db, runs, limits)), turning(dispatcher(db, runs, limits)):
        for number, key in enumerate(keys):
            await inbox.accept(arriving(key, lane=f"lane:{number % 7}"))
            runs.away = number % 20 > 15
        runs.away = False
        async with asyncio.timeout(60):
            turn = 0
            while (await inbox.counts())["done"] < len(keys):
                await pauses_end(db)
                for batch_id in await open_batches(db):
                    turn += 1
                    await end_run(db, runs, batch_id, is_killed=turn % 3 == 0)
                await asyncio.sleep(0.005)
    assert set(await states(db)) == {"done"}
    assert len(await deliveries(db)) == len(keys)


async def end_run(db: Database, runs: MemoryRuns, batch_id: UUID, *, is_killed: bool) -> None:
    """A batch's run settles it or is killed, but not the same messages until they are dead."""
    run_id = runs.by_key.get(f"batch:{batch_id}")
    if run_id is None or runs.states[run_id] == "CRASHED":
        return
    taken = await Batches(db).take(batch_id)
    if is_killed and all(delivery.attempts < 4 for delivery in taken):
        runs.states[run_id] = "CRASHED"
    else:
        await settled(db, batch_id)
        runs.states[run_id] = "COMPLETED"
