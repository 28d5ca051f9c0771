"""Prefect's REST API, for processes that must stay small: no Prefect is imported here.

Source: the server's OpenAPI document, Prefect 3.8.8, read 2026-11-22.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from lib.clients._http import check_status, translated
from lib.errors import PotokError


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
        self._deployments: dict[str, str] = {}

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

    async def create_run(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str, tags: list[str]
    ) -> UUID:
        """Create a flow run of a deployment; the same ``key`` again gives the first run.

        Args:
            deployment: ``flow/deployment``.
            parameters: the flow's parameters; ids, never texts.
            key: the idempotency key.
            name: how people find the run.
            tags: labels to filter by.

        Raises:
            Rejected: no such deployment, or parameters it does not take.
            Unavailable: the server is away.
        """
        deployment_id = await self._deployment_id(deployment)
        body = {"parameters": parameters, "idempotency_key": key, "name": name, "tags": tags}
        try:
            run = await self._ask("POST", f"/deployments/{deployment_id}/create_flow_run", body)
        except Exception:
            self._deployments.pop(deployment, None)  # deployed anew, under another id
            raise
        return UUID(run["id"])

    async def _deployment_id(self, deployment: str) -> str:
        if deployment not in self._deployments:
            found = await self._ask("GET", f"/deployments/name/{deployment}")
            self._deployments[deployment] = found["id"]
        return self._deployments[deployment]

    async def run_states(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """The state type of each run (``RUNNING``, ``CRASHED`` …); a deleted run is missing."""
        if not ids:
            return {}
        body = {"flow_runs": {"id": {"any_": [str(i) for i in ids]}}, "limit": 200}
        runs = await self._ask("POST", "/flow_runs/filter", body)
        return {UUID(run["id"]): run["state_type"] for run in runs}

    async def crash_run(self, run_id: UUID, message: str) -> None:
        """Show a run whose process is gone as Crashed."""
        state = {"type": "CRASHED", "name": "Crashed", "message": message}
        await self._ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

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
