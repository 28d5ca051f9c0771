"""A flow that does nothing, on the warm worker and on Prefect's stock process worker."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from deployments.settings import ROOT
from deployments.stack.processes import Supervisor
from deployments.stack.program import Program
from deployments.warm import POOL
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options

STOCK_POOL = "bench-stock"
STOCK_POLL_S = 0.3  # the default is 10 s, and would add 5 s on average
RUNS = 5
QUICK_RUNS = 2
WITHIN_S = 120.0
LOOK_EVERY_S = 0.02

_ENDED = """
    select type::text as type, message, timestamp from flow_run_state
    where flow_run_id = %s and type in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')
"""


async def measure(house: House, options: Options) -> Sample:
    """Medians of a few runs each, after one that does not count; never both workers at once."""
    await house.until_quiet()
    runs = QUICK_RUNS if options.is_quick else RUNS
    warm = await deployed(house, "trivial")
    await _run_s(house, warm)
    warm_s = [await _run_s(house, warm) for _ in range(runs)]
    options.say(f"warm: {statistics.median(warm_s):.2f} s")
    await house.api("POST", "/work_pools/", {"name": STOCK_POOL, "type": "process"}, (409,))
    stock = await deployed(house, "trivial", STOCK_POOL)
    async with _stock_worker(house):
        await _run_s(house, stock)
        stock_s = [await _run_s(house, stock) for _ in range(runs)]
    warm_median, stock_median = statistics.median(warm_s), statistics.median(stock_s)
    return Sample(
        {
            "worker.ratio": stock_median / warm_median,
            "worker.warm_s": warm_median,
            "worker.stock_s": stock_median,
        },
        [f"{name}: " + " ".join(f"{s:.2f}" for s in seconds) + " s"
         for name, seconds in (("warm", warm_s), ("stock", stock_s))],
    )  # fmt: skip


async def deployed(house: House, name: str, pool: str = POOL) -> UUID:
    """The deployment of a flow of `flows_trivial` to a pool."""
    flow = await house.api("POST", "/flows/", {"name": f"bench-{name}"})
    wanted = {
        "name": pool,
        "flow_id": flow["id"],
        "entrypoint": f"tests.bench.flows_trivial.{name}",
        "work_pool_name": pool,
    }
    return UUID((await house.api("POST", "/deployments/", wanted))["id"])


async def _run_s(house: House, deployment: UUID) -> float:
    """Seconds from the request that creates a run to its state Completed."""
    began = time.time()
    run = await house.api("POST", f"/deployments/{deployment}/create_flow_run", {})
    async with asyncio.timeout(WITHIN_S):
        while (row := await (await house.prefect.execute(_ENDED, (run["id"],))).fetchone()) is None:
            await asyncio.sleep(LOOK_EVERY_S)
    if row["type"] != "COMPLETED":
        raise RuntimeError(f"the trivial run ended as {row['type']}: {row['message']}")
    return float(row["timestamp"].timestamp() - began)


@asynccontextmanager
async def _stock_worker(house: House) -> AsyncIterator[None]:
    """Prefect's process worker with our settings of its client, polling often."""
    supervisor = Supervisor(house.settings.home / "stock")
    words = ("-m", "prefect", "worker", "start", "--pool", STOCK_POOL, "--type", "process")
    env = house.settings.child_env() | {
        "PREFECT_WORKER_QUERY_SECONDS": str(STOCK_POLL_S),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(":"),
    }
    try:
        await supervisor.start(Program("stock", [sys.executable, *words], env, ROOT))
        yield
    finally:
        await supervisor.stop()
