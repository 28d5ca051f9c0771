"""A process that holds a batch until it is killed: ``python -m tests.store.holder BATCH_ID``."""

from __future__ import annotations

import asyncio
import os
import sys
from uuid import UUID

from lib.store.batches import Batches
from lib.store.engine import Database


async def hold(dsn: str, batch_id: UUID) -> None:
    """Hold the batch for ever, and say so in one line."""
    async with Batches(Database(dsn)).hold(batch_id):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(os.environ["HOLDER_DSN"], UUID(sys.argv[1])))
