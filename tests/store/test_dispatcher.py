"""What waits in the inbox becomes runs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from lib.dispatcher import Dispatcher
from lib.errors import Rejected, Unavailable
from lib.store.batches import Batches
from lib.store.dispatchers import NAME
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.store.dispatching import (
    PATIENT,
    dispatcher,
    one_run,
    open_batches,
    states,
    turning,
)
from tests.store.making import (
    LEADS,
    accepted,
    arriving,
    deliveries,
    keys_of,
    pauses_end,
    rows,
    run_sql,
    settled,
    until_true,
)
from tests.store.memory_runs import MemoryRuns

LISTENING = f"""
    select pid from pg_stat_activity where application_name = '{NAME}'
      and datname = current_database() and state = 'idle' and query <> ''
"""


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
    turner = dispatcher(db, runs, PATIENT)
    await accepted(db, arriving())
    for _ in range(3):
        await turner.turn()
    assert await states(db) == ["received"], "nothing is claimed that nobody would run"
    await accepted(db, arriving())
    runs.away = False
    await turner.turn()
    assert len(runs.by_key) == len(runs.batch_ids) == 1
    assert await open_batches(db) == runs.batch_ids
    assert await states(db) == ["claimed"] * 2


async def test_what_is_claimed_while_every_process_is_busy_is_started_later(db: Database) -> None:
    class Busy(MemoryRuns):
        busy = True

        async def start(self, *args: Any, **named: Any) -> UUID:
            if self.busy:
                raise Unavailable("every process is busy")
            return await super().start(*args, **named)

    busy = Busy()
    turner = dispatcher(db, busy, PATIENT)
    await accepted(db, arriving())
    await turner.turn()
    await turner.turn()
    (batch_id,) = await open_batches(db)
    busy.busy = False
    await turner.turn()
    assert busy.batch_ids == [batch_id]
    assert all(batch.flow_run_id for batch in await Batches(db).open())


async def test_a_loop_outlives_prefect_and_a_bug(
    db: Database, runs: MemoryRuns, caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling(MemoryRuns):
        stumbles = 0

        async def start(self, *args: Any, **named: Any) -> UUID:
            self.stumbles += 1
            if self.stumbles < 3:
                raise KeyError("a bug")
            return await super().start(*args, **named)

    stumbling = Stumbling()
    await accepted(db, arriving())
    with caplog.at_level(logging.CRITICAL, "lib.dispatcher"):
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


async def test_a_missing_deployment_does_not_stop_the_others(db: Database) -> None:
    class Lacking(MemoryRuns):
        async def start(self, deployment: str, *args: Any, **named: Any) -> UUID:
            if deployment != LEADS:
                raise Rejected("no such deployment")
            return await super().start(deployment, *args, **named)

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
    async with turning(turner):
        await until_true(lambda: rows(db, LISTENING))
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
    async with turning(dispatcher(db, runs)):
        await until_true(lambda: rows(db, LISTENING))
        (before,) = await rows(db, LISTENING)
        await run_sql(db, "select pg_terminate_backend(:pid)", pid=before["pid"])

        async def listens_anew() -> bool:
            return [row["pid"] for row in await rows(db, LISTENING)] not in ([], [before["pid"]])

        await until_true(listens_anew)
    assert "dispatch.listen_away" in caplog.text


async def test_a_stopped_loop_leaves_no_connection(db: Database, runs: MemoryRuns) -> None:
    turner = dispatcher(db, runs)
    assert not turner.is_alive()
    async with turning(turner):
        await until_true(lambda: rows(db, LISTENING))
        await until_true(lambda: _has(turner.is_alive()))

    async def is_gone() -> bool:
        return not await rows(db, LISTENING)

    await until_true(is_gone)


async def test_every_delivery_ends_though_runs_die_and_prefect_comes_and_goes(
    db: Database, runs: MemoryRuns
) -> None:
    """Two dispatchers, and runs of which every third is killed."""
    limits = replace(PATIENT, max_open=3, max_batch=8)
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
    if run_id is None or runs.by_id[run_id] == "CRASHED":
        return
    taken = await Batches(db).take(batch_id)
    if is_killed and all(delivery.attempts < 4 for delivery in taken):
        runs.by_id[run_id] = "CRASHED"
    else:
        await settled(db, batch_id)
        runs.by_id[run_id] = "COMPLETED"
