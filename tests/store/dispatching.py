"""A dispatcher over a real inbox and runs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from lib.dispatcher import Dispatcher, DispatchLimits
from lib.store.batches import Batches
from lib.store.engine import Database
from tests.store.making import (
    LEADS,
    accepted,
    arriving,
    deliveries,
)
from tests.store.memory_runs import MemoryRuns

# A look at open batches in every turn, and patience only where a test wants it.
QUICK = DispatchLimits(gather_s=0, recover_s=0, grace_s=0, pending_s=0, poll_s=0.02)
PATIENT = replace(QUICK, grace_s=3600, pending_s=3600)


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
