"""The worker's process: runs of the pool ``live`` and, beside it, the dispatcher of the inbox."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from pathlib import Path

from deployments.alarm import Alarm
from deployments.manifest import follow_up_deployments, inbox_deployments
from deployments.settings import Settings
from deployments.warm import POOL
from deployments.warm.reaper import Reaper
from deployments.warm.runs import WarmRuns
from deployments.warm.spares import SpareLimits, SparePool
from deployments.warm.type import WarmWorker
from lib.clients.prefect_api import PrefectApi
from lib.dispatcher import Dispatcher, DispatchLimits
from lib.store.engine import Database
from lib.store.inbox import Inbox

PRELOAD = ("flows.leads",)


async def serve(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; running flow runs get a grace time to finish."""
    spares = SparePool(SpareLimits(settings.spares), PRELOAD)
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    database = Database(settings.database_url, pool_size=2)
    await prefect.wait_for_pool(POOL)
    worker = WarmWorker(work_pool_name=POOL, prefetch_seconds=1)
    worker.spares = spares
    dispatcher = Dispatcher(
        database,
        WarmRuns(prefect, worker, POOL),
        inbox_deployments(),
        DispatchLimits(
            settings.runs_at_once,
            settings.batch_size,
            pauses_s=dict.fromkeys(follow_up_deployments(), settings.follow_up_s),
        ),
        Alarm(prefect, Inbox(database)),
    )
    working = asyncio.create_task(worker.start(printer=lambda _: None))
    dispatching = asyncio.create_task(_dispatch(dispatcher, spares))
    reaping = asyncio.create_task(Reaper(prefect, database, POOL).run())
    if await _is_asked_to_stop(working, dispatching, reaping):
        dispatcher.stop()
        began = time.monotonic()
        await asyncio.wait([dispatching], timeout=settings.stop_grace_s)
        await worker.drain(settings.stop_grace_s - (time.monotonic() - began))
        spares.close()
        working.cancel()
        await asyncio.wait([working])
        reaping.cancel()
    else:
        for part in (working, dispatching, reaping):
            if part.done():
                part.result()


async def _dispatch(dispatcher: Dispatcher, spares: SparePool) -> None:
    """Dispatch as soon as runs would be taken, and tell whoever started this process of it."""
    await spares.is_ready.wait()
    if path := os.environ.get("POTOK_READY_FILE"):
        await asyncio.to_thread(Path(path).touch)
    await dispatcher.run()


async def _is_asked_to_stop(*parts: asyncio.Task[None]) -> bool:
    """Whether a signal ended the wait, and not the end of one of these parts."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait([*parts, asking], return_when=asyncio.FIRST_COMPLETED)
    return asked.is_set()


def main() -> None:
    """Run the worker's process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every request otherwise
    asyncio.run(serve(Settings()))
