"""A run that is cancelled as the UI's button does it: when its process ends, and that is seen."""

from __future__ import annotations

import asyncio
import statistics
import time
from uuid import UUID

from lib.store.engine import Database
from lib.store.lives import living
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.of_worker import deployed

RUNS = 5
QUICK_RUNS = 2
WITHIN_S = 60.0
LOOK_EVERY_S = 0.02


async def measure(house: House, options: Options) -> Sample:
    """A few runs that sleep, one after the other."""
    await house.until_quiet()
    deployment = await deployed(house, "asleep")
    database = Database(house.settings.database_url, pool_size=1)
    try:
        runs = QUICK_RUNS if options.is_quick else RUNS
        times = [await _cancelled(house, database, deployment) for _ in range(runs)]
    finally:
        await database.close()
    ended_s, shown_s = zip(*times, strict=True)
    return Sample(
        {"cancel.ended_s": max(ended_s), "cancel.shown_s": statistics.median(shown_s)},
        [f"process ended after {' '.join(f'{s:.2f}' for s in ended_s)} s"],
    )


async def _cancelled(house: House, database: Database, deployment: UUID) -> tuple[float, float]:
    """Seconds from the request until its process has ended, and until it is shown Cancelled."""
    run = UUID((await house.api("POST", f"/deployments/{deployment}/create_flow_run", {}))["id"])

    async def lives() -> bool:
        return bool(await living(database, [run]))

    async def is_now(state: str) -> bool:
        return bool((await house.api("GET", f"/flow_runs/{run}"))["state_type"] == state)

    async with asyncio.timeout(WITHIN_S):
        while not (await is_now("RUNNING") and await lives()):
            await asyncio.sleep(LOOK_EVERY_S)
        began = time.monotonic()
        state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        await house.api("POST", f"/flow_runs/{run}/set_state", state)
        while await lives():
            await asyncio.sleep(LOOK_EVERY_S)
        ended_s = time.monotonic() - began
        while not await is_now("CANCELLED"):
            await asyncio.sleep(LOOK_EVERY_S)
    return ended_s, time.monotonic() - began
