"""Prefect's REST API, for processes that must stay small: no Prefect is imported here.

Source: the server's OpenAPI document, Prefect 3.8.8, read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from lib.clients._http import check_status, translated
from lib.errors import PotokError, Rejected

DEPLOYMENT_FOR_S = 10.0
POOLLESS = "POOLLESS"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is deployed.

    Attributes:
        pool: the work pool of its runs; None: they wait for nobody.
        is_paused: a person has paused it, or the pool.
        entrypoint: the flow's module path.
        env: variables that its runs are given.
    """

    id: UUID
    pool: str | None
    is_paused: bool
    entrypoint: str
    env: dict[str, str]


class PrefectApi:
    """A connection to a Prefect server.

    Args:
        url: the API's address, such as ``http://127.0.0.1:4200/api``.
        auth: ``user:password`` where the server asks for it.
        timeout_s: the most one request may take.
    """

    def __init__(self, url: str, auth: str | None = None, timeout_s: float = 10.0) -> None:
        user, _, password = (auth or "").partition(":")
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            auth=(user, password) if auth else None,
            timeout=timeout_s,
            trust_env=False,
        )
        self._deployments: dict[str, tuple[float, Deployment]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def check(self) -> None:
        """Raise Unavailable unless the server answers."""
        await self._ask("GET", "/health")

    async def wait_for_pool(self, name: str, every_s: float = 0.2) -> None:
        """Return when the server answers and has this work pool, however long that takes."""
        while True:
            try:
                await self._ask("GET", f"/work_pools/{name}")
            except PotokError:
                await asyncio.sleep(every_s)
            else:
                return

    async def deployment(self, name: str) -> Deployment:
        """A deployment by ``flow/deployment``, not older than ``DEPLOYMENT_FOR_S``.

        Raises:
            Rejected: there is none.
            Unavailable: the server is away.
        """
        read_at, known = self._deployments.get(name, (float("-inf"), None))
        if known is None or time.monotonic() - read_at > DEPLOYMENT_FOR_S:
            found = await self._ask("GET", f"/deployments/name/{name}")
            pool = found["work_pool_name"]
            known = Deployment(
                id=UUID(found["id"]),
                pool=pool,
                is_paused=found["paused"]
                or bool(pool and (await self._ask("GET", f"/work_pools/{pool}"))["is_paused"]),
                entrypoint=found["entrypoint"] or "",
                env=(found["job_variables"] or {}).get("env") or {},
            )
            self._deployments[name] = (time.monotonic(), known)
        return known

    async def create_run(
        self,
        deployment: Deployment,
        parameters: dict[str, Any],
        *,
        key: str,
        name: str,
        tags: list[str],
        is_running: bool = False,
    ) -> dict[str, Any]:
        """Create a flow run of a deployment; the same ``key`` again gives the first run.

        The server is not asked to check the parameters against the flow's schema: that takes it
        more than all the rest, and whoever creates runs here creates thousands that are alike.

        Args:
            deployment: whose.
            parameters: the flow's parameters; ids, never texts.
            key: the idempotency key.
            name: how people find the run.
            tags: labels to filter by.
            is_running: it is Running at once, in the hands of who asks; else Scheduled, for the
                workers of the deployment's pool.

        Returns:
            The run as the API shows it, with ``id`` and ``state_type``.

        Raises:
            Rejected: no such deployment.
            Unavailable: the server is away.
        """
        body: dict[str, Any] = {
            "parameters": parameters,
            "enforce_parameter_schema": False,
            "idempotency_key": key,
            "name": name,
            "tags": tags,
        }
        if is_running:
            body["state"] = {"type": "RUNNING", "name": "Running"}
        try:
            path = f"/deployments/{deployment.id}/create_flow_run"
            run: dict[str, Any] = await self._ask("POST", path, body)
        except Rejected:
            self._deployments.clear()  # deployed anew, under another id
            raise
        return run

    async def find(self, key: str) -> UUID | None:
        """The run that was created under an idempotency key, if there is one."""
        body = {"flow_runs": {"idempotency_key": {"any_": [key]}}, "limit": 1}
        runs = await self._ask("POST", "/flow_runs/filter", body)
        return UUID(runs[0]["id"]) if runs else None

    async def states(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """The state type of each run (``RUNNING``, ``CRASHED`` …); a deleted run is missing.

        One that is Scheduled in a pool that was deleted is ``POOLLESS``: nobody will take it.
        """
        if not ids:
            return {}
        body = {"flow_runs": {"id": {"any_": [str(i) for i in ids]}}, "limit": 200}
        runs = await self._ask("POST", "/flow_runs/filter", body)
        return {UUID(run["id"]): _state(run) for run in runs}

    async def table_of(self, run_id: UUID) -> list[dict[str, Any]]:
        """The rows of the table that a run has left for people; none when it has left none."""
        body = {
            "artifacts": {"flow_run_id": {"any_": [str(run_id)]}, "type": {"any_": ["table"]}},
            "limit": 1,
        }
        found = await self._ask("POST", "/artifacts/filter", body)
        rows = json.loads(found[0]["data"]) if found else []
        return [row for row in rows if isinstance(row, dict)]

    async def unfinished(self, pool: str) -> dict[UUID, str]:
        """The runs of a work pool that are shown as taken and not as ended, with their state."""
        alive = ["PENDING", "RUNNING", "CANCELLING"]
        body = {
            "work_pools": {"name": {"any_": [pool]}},
            "flow_runs": {"state": {"type": {"any_": alive}}},
            "limit": 200,
        }
        runs = await self._ask("POST", "/flow_runs/filter", body)
        return {UUID(run["id"]): run["state_type"] for run in runs}

    async def crash(self, run_id: UUID, message: str) -> None:
        """Show a run whose process is gone as Crashed."""
        await self.end(run_id, "CRASHED", message)

    async def end(self, run_id: UUID, state_type: str, message: str) -> None:
        """Show a run as ended, whatever it is shown as now."""
        state = {"type": state_type, "name": state_type.capitalize(), "message": message}
        await self._ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    async def has_room(self, limit: str) -> bool:
        """Take one slot of a global concurrency limit; False: it is full, or there is none."""
        body = {"names": [limit], "slots": 1, "mode": "rate_limit"}
        try:
            return bool(await self._ask("POST", "/v2/concurrency_limits/increment", body))
        except Rejected:  # 423: its slots are taken
            return False

    async def block_values(self, block_type: str) -> dict[str, dict[str, Any]]:
        """The documents of a block type by name, with their secrets."""
        body = {
            "block_types": {"slug": {"any_": [block_type]}},
            "include_secrets": True,
            "limit": 200,
        }
        documents = await self._ask("POST", "/block_documents/filter", body)
        return {d["name"]: d["data"] for d in documents if d.get("name")}

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        what = f"Prefect {method} {path}"
        # Nothing asked here does harm when it is asked twice, so a lost answer is a plain failure.
        with translated(what, write=False):
            response = await self._http.request(method, path, json=body)
        check_status(response, what, write=False)
        return response.json() if response.content else None


def _state(run: dict[str, Any]) -> str:
    if run["state_type"] == "SCHEDULED" and run["work_pool_name"] is None:
        return POOLLESS
    return str(run["state_type"])
