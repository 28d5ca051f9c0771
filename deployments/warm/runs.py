"""Runs for the dispatcher: of this pool at once in a spare, of other pools by their workers.

A run of this pool is created in the state Running and handed over at once. That leaves out three
of Prefect's requests: to be found by polling, to be made Pending, and to be made Running.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from deployments.warm.order import Order
from deployments.warm.type import WarmWorker
from lib.clients.prefect_api import Deployment, PrefectApi
from lib.errors import Rejected, Unavailable


class WarmRuns:
    """What the dispatcher needs, by Prefect's API and the worker's spare processes.

    Args:
        prefect: where runs are created.
        worker: whose spares run those of its own pool.
        pool: its name.
    """

    def __init__(self, prefect: PrefectApi, worker: WarmWorker, pool: str) -> None:
        self._prefect = prefect
        self._worker = worker
        self._pool = pool
        self.find = prefect.find
        self.states = prefect.states
        self.crash = prefect.crash

    async def check(self, deployment: str) -> None:
        """Raise unless runs of a deployment would be taken.

        Raises:
            Rejected: it is not deployed, or in no pool.
            Unavailable: Prefect is away, or a person has paused it or its pool.
        """
        target = await self._prefect.deployment(deployment)
        if target.pool is None:
            raise Rejected(f"{deployment} is in no work pool: its runs would wait for nobody")
        if target.is_paused:
            raise Unavailable(f"{deployment}, or its pool {target.pool}, is paused in Prefect")

    async def start(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str, tags: list[str]
    ) -> UUID:
        """Create a run and see to it that it is run; the same key gives the same run.

        Raises:
            Rejected: no such deployment.
            Unavailable: Prefect is away, or every process is busy.
        """
        target = await self._prefect.deployment(deployment)
        asked: dict[str, Any] = {"key": key, "name": name, "tags": tags}
        if target.pool != self._pool:
            return UUID((await self._prefect.create_run(target, parameters, **asked))["id"])
        spare = await self._worker.spares.acquire()
        is_taken = False
        try:
            run = await self._prefect.create_run(target, parameters, **asked, is_running=True)
            run_id = UUID(run["id"])
            # By its key it may be a run of before: at work here, or ended, as its batch will be.
            if run["state_type"] == "RUNNING" and not self._worker.is_at_work(run_id):
                self._worker.run_at_once(_order(run, target), spare)
                is_taken = True
        finally:
            if not is_taken:
                await self._worker.spares.release(spare, is_ready=True)
        return run_id


def _order(run: dict[str, Any], deployment: Deployment) -> Order:
    env = deployment.env | ((run["job_variables"] or {}).get("env") or {})
    return Order(orjson.dumps(run).decode(), deployment.entrypoint, env, is_running=True)
