"""Claiming while many wait: after a burst, or after Prefect was away."""

from __future__ import annotations

import asyncio
import statistics
import time

import psycopg

from deployments.stack.databases import ensure_databases
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.events import LEADS
from lib.store.migrate import upgrade
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.of_inbox import fill

NAME = "bench_backlog"
SETTLED = 20_000
FEW, MANY = 200, 20_000
BATCH = 200
TIMES = 3

# Those before are settled, and the planner has been told so, as autovacuum tells it by and by.
_CLEAR = (
    "update batches set closed_at = now() where closed_at is null",
    "delete from deliveries where state <> 'done'",
    "vacuum analyze deliveries",
)
_WAITING = """
    insert into deliveries (key, deployment, source, lane, person, message, raw)
    select 'waiting:' || g, %s, 'telegram', 'waiting:' || g, 'waiting:' || g, '{}', '{}'
    from generate_series(1, %s::int) g
"""


async def measure(house: House, options: Options) -> Sample:
    """Each of those who wait has a chat of their own."""
    await house.until_quiet()
    server = house.settings.database_url.rsplit("/", 1)[0]
    dsn = f"{server}/{NAME}"
    await asyncio.to_thread(ensure_databases, f"{server}/postgres", (NAME,))
    await asyncio.to_thread(upgrade, dsn)
    await asyncio.to_thread(fill, dsn, SETTLED, options)
    database = Database(dsn, pool_size=1)
    try:
        few_ms = [await _claim_ms(dsn, database, FEW) for _ in range(TIMES)]
        many_ms = [await _claim_ms(dsn, database, MANY) for _ in range(TIMES)]
    finally:
        await database.close()
    return Sample(
        {
            "backlog.few_ms": statistics.median(few_ms),
            "backlog.many_ms": statistics.median(many_ms),
        }
    )


async def _claim_ms(dsn: str, database: Database, waiting: int) -> float:
    await asyncio.to_thread(_wait, dsn, waiting)
    began = time.perf_counter()
    claim = await Claims(database).claim(LEADS, BATCH, max_open=1)
    took_ms = (time.perf_counter() - began) * 1000
    assert claim is not None
    return took_ms


def _wait(dsn: str, waiting: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in _CLEAR:
            connection.execute(statement.encode())
        connection.execute(_WAITING, (LEADS, waiting))
