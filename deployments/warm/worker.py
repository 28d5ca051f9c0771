"""The worker of the pool ``live``: ``python -m deployments.warm.worker``.

Little may be imported here: every spare process imports its parent's main module again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployments.warm.spares import SparePool

POOL = "live"
PRELOAD = ("flows.leads",)


async def _announce(spares: SparePool) -> None:
    """Tell whoever started this process that runs will be taken at once from now on."""
    await spares.is_ready.wait()
    if path := os.environ.get("POTOK_READY_FILE"):
        await asyncio.to_thread(Path(path).touch)


async def serve() -> None:
    """Work until SIGTERM or SIGINT; running flow runs get a grace time to finish."""
    import signal

    from deployments.settings import Settings
    from deployments.warm.spares import SpareLimits, SparePool
    from deployments.warm.type import WarmWorker
    from lib.clients.prefect_api import PrefectApi

    settings = Settings()
    spares = SparePool(SpareLimits(settings.spares), PRELOAD)
    auth = settings.prefect_api_auth_string
    prefect = PrefectApi(settings.prefect_api_url, auth.get_secret_value() if auth else None)
    await prefect.wait_for_pool(POOL)
    await prefect.close()
    worker = WarmWorker(work_pool_name=POOL, prefetch_seconds=1)
    worker.spares = spares
    worker.wake_dsn = settings.database_url
    working = asyncio.create_task(worker.start(printer=lambda _: None))
    announcing = asyncio.create_task(_announce(worker.spares))

    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait([working, asking], return_when=asyncio.FIRST_COMPLETED)
    if asked.is_set():
        await worker.drain(settings.stop_grace_s)
        worker.spares.close()
        working.cancel()
        await asyncio.wait([working])
    announcing.cancel()
    if not working.cancelled():
        working.result()


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no threads in the template that is forked
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every request otherwise
    asyncio.run(serve())
