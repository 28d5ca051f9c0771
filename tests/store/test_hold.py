"""A living process is seen by its lock, and a dead one by the lack of it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from lib.errors import Rejected, Unavailable
from lib.store import hold as hold_module
from lib.store.batches import Batches
from lib.store.engine import Database

from .making import accepted, arriving, claimed, rows, run_sql, settled, until_true

ROOT = Path(__file__).resolve().parents[2]
HOLDERS = """
    select pid from pg_locks where locktype = 'advisory' and granted and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
"""


@pytest.fixture(autouse=True)
def _checked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_module, "CHECK_EVERY_S", 0.05)


@pytest.fixture
async def batch_id(db: Database) -> UUID:
    await accepted(db, arriving())
    return await claimed(db)


async def is_held(db: Database, batch_id: UUID) -> bool:
    (batch,) = [b for b in await Batches(db).open() if b.id == batch_id]
    return batch.held


async def break_connections(db: Database) -> list[int]:
    """End the sessions that hold batches, as a restart of PostgreSQL would."""
    pids = [row["pid"] for row in await rows(db, HOLDERS)]
    for pid in pids:
        await run_sql(db, "select pg_terminate_backend(:pid)", pid=pid)
    return pids


@asynccontextmanager
async def holder(dsn: str, batch_id: UUID) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process with the batch in its hands."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.store.holder", str(batch_id)),
        cwd=ROOT,
        env={**os.environ, "HOLDER_DSN": dsn},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"held\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_batch_is_held_for_as_long_as_the_block_lasts(db: Database, batch_id: UUID) -> None:
    other = await claimed_other(db)
    assert not await is_held(db, batch_id)
    async with Batches(db).hold(batch_id):
        assert await is_held(db, batch_id)
        assert not await is_held(db, other)
    await until_true(lambda: is_free(db, batch_id))
    async with Batches(db).hold(batch_id):  # and may be held again
        assert await is_held(db, batch_id)


async def claimed_other(db: Database) -> UUID:
    await accepted(db, arriving())
    return await claimed(db)


async def is_free(db: Database, batch_id: UUID) -> bool:
    return not await is_held(db, batch_id)


async def test_an_error_frees_the_batch(db: Database, batch_id: UUID) -> None:
    async def fails() -> None:
        async with Batches(db).hold(batch_id):
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        await fails()
    await until_true(lambda: is_free(db, batch_id))


async def test_a_second_hold_is_refused_and_leaves_nothing_open(
    db: Database, batch_id: UUID
) -> None:
    async def second() -> None:
        async with Batches(db).hold(batch_id):
            raise AssertionError("it was held twice")

    async with Batches(db).hold(batch_id):
        for _ in range(3):
            with pytest.raises(Rejected):
                await second()
        assert await is_held(db, batch_id)
        sessions = (
            "select pid from pg_stat_activity where query like '%pg_try_advisory_lock%' "
            "and pid <> pg_backend_pid() and datname = current_database()"
        )

        async def one_session() -> bool:
            return len(await rows(db, sessions)) <= 1

        await until_true(one_session)


async def test_a_batch_of_a_killed_process_is_free_at_once(
    db: Database, database: str, batch_id: UUID
) -> None:
    async with holder(database, batch_id) as process:
        assert await is_held(db, batch_id)
        with pytest.raises(Rejected):
            await Batches(db).hold(batch_id).__aenter__()
        process.kill()
        await process.wait()
        await until_true(lambda: is_free(db, batch_id))


async def test_a_broken_connection_is_opened_again(
    db: Database, batch_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    async with Batches(db).hold(batch_id):
        for _ in range(2):
            (before,) = await break_connections(db)

            async def is_held_anew(broken: int = before) -> bool:
                return [row["pid"] for row in await rows(db, HOLDERS)] not in ([], [broken])

            await until_true(is_held_anew)
        assert await is_held(db, batch_id)
        await settled(db, batch_id)
    assert [r.levelno for r in caplog.records if "taken_again" in r.message] == [
        logging.WARNING
    ] * 2


async def test_who_lost_the_batch_is_cancelled(
    db: Database, batch_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    went_on = False

    async def work() -> None:
        nonlocal went_on
        async with Batches(db).hold(batch_id):
            await asyncio.Event().wait()
        went_on = True

    working = asyncio.create_task(work())
    await until_true(lambda: is_held(db, batch_id))
    await Batches(db).give_back(batch_id, "its process is gone", jitter=0)
    await break_connections(db)
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await working
    assert not went_on
    assert f"hold.lost key={batch_id}" in caplog.text
    assert await rows(db, HOLDERS) == []


async def test_a_hold_without_a_database_is_unavailable(
    database: str, db: Database, batch_id: UUID
) -> None:
    name = database.rsplit("/", 1)[1]
    maintenance = Database(f"{database.rsplit('/', 1)[0]}/postgres")
    fresh = Database(database)
    try:
        await run_sql(maintenance, f"alter database {name} allow_connections false")
        with pytest.raises(Unavailable):
            await Batches(fresh).hold(uuid4()).__aenter__()
    finally:
        await run_sql(maintenance, f"alter database {name} allow_connections true")
        await maintenance.close()
        await fresh.close()


async def test_a_hold_outlasts_a_database_that_is_away(
    db: Database, database: str, batch_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    name = database.rsplit("/", 1)[1]
    maintenance = Database(f"{database.rsplit('/', 1)[0]}/postgres")

    async def is_away() -> bool:
        return "hold.away" in caplog.text

    try:
        async with Batches(db).hold(batch_id):
            await run_sql(maintenance, f"alter database {name} allow_connections false")
            await break_connections(db)
            await until_true(is_away)
            await run_sql(maintenance, f"alter database {name} allow_connections true")
            await until_true(lambda: is_held(db, batch_id))
    finally:
        await run_sql(maintenance, f"alter database {name} allow_connections true")
        await maintenance.close()
