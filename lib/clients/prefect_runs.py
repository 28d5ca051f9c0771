"""Prefect's REST API as a person uses it: what may be run, what runs, and what is to stop.

Source: the server's OpenAPI document, Prefect 3.8.8, read 2026-11-26.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from lib.clients.prefect_api import PrefectApi
from lib.domain.mcp_schemas import check_parameters
from lib.errors import Rejected

OFFERS_FOR_S = 10.0
OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
UNWELL = frozenset({"FAILED", "CRASHED", "CANCELLED"})
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_ARTIFACTS = 20
_DATA_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A deployment that may be run.

    Attributes:
        name: ``flow/deployment``.
        schema: of the flow's parameters, as Prefect has it.
        given: parameters that the deployment gives.
    """

    id: UUID
    name: str
    description: str
    schema: dict[str, Any]
    given: dict[str, Any]
    is_paused: bool


class PrefectRuns(PrefectApi):
    """A connection to a Prefect server, for those who look at runs and start them."""

    def __init__(self, url: str, auth: str | None = None, timeout_s: float = 10.0) -> None:
        super().__init__(url, auth, timeout_s)
        self._offers: tuple[float, list[Offer]] = (float("-inf"), [])

    async def offers(self) -> list[Offer]:
        """Every deployment, by name, not older than ``OFFERS_FOR_S``.

        Raises:
            Unavailable: the server is away.
        """
        read_at, known = self._offers
        if time.monotonic() - read_at > OFFERS_FOR_S:
            found = await self._ask("POST", "/deployments/filter", {"limit": 200})
            names = await self._flow_names(each["flow_id"] for each in found)
            known = [_offer(each, names[each["flow_id"]]) for each in found]
            known.sort(key=lambda offer: offer.name)
            self._offers = (time.monotonic(), known)
        return known

    async def start(
        self, offer: Offer, parameters: dict[str, Any], *, name: str, tags: list[str]
    ) -> UUID:
        """Create a run, for the workers of the deployment's pool.

        Args:
            offer: of what.
            parameters: those that count over the deployment's; checked here by the flow's schema.
            name: how people find the run.
            tags: labels to filter by.

        Raises:
            Rejected: the flow does not take these parameters, or the deployment is gone.
            Unavailable: the server is away.
        """
        check_parameters(offer.schema, offer.given | parameters)
        body = {
            "parameters": offer.given | parameters,
            "idempotency_key": str(uuid4()),
            "name": name,
            "tags": tags,
        }
        try:
            run = await self._ask("POST", f"/deployments/{offer.id}/create_flow_run", body)
        except Rejected:
            self._offers = (float("-inf"), [])  # deployed anew, under another id
            raise
        return UUID(run["id"])

    async def run(self, run_id: UUID) -> dict[str, Any]:
        """A run: its name, flow, deployment, parameters, state and times.

        Raises:
            Rejected: there is none.
            Unavailable: the server is away.
        """
        [run] = await self._runs({"flow_runs": {"id": {"any_": [str(run_id)]}}, "limit": 1}) or [{}]
        if not run:
            raise Rejected(f"there is no flow run {run_id}")
        return run

    async def latest(self, limit: int, states: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The runs that began or were to begin last, the newest first; none of the future.

        Args:
            limit: how many at most.
            states: only those in one of these states, as in ``FAILED``; none: whatever they are.
        """
        wanted = list(states) or ["RUNNING", "PENDING", "CANCELLING", "PAUSED", *sorted(OVER)]
        kind = {"state": {"type": {"any_": wanted}}}
        order = {"sort": "EXPECTED_START_TIME_DESC", "limit": limit}
        return await self._runs({"flow_runs": kind, **order})

    async def logs(self, run_id: UUID, limit: int, level: str = "info") -> list[dict[str, Any]]:
        """The last lines that a run has logged, in their order."""
        wanted = {"flow_run_id": {"any_": [str(run_id)]}, "level": {"ge_": LEVELS[level]}}
        body = {"logs": wanted, "sort": "TIMESTAMP_DESC", "limit": limit}
        names = {number: name for name, number in LEVELS.items()}
        return [
            {
                "at": line["timestamp"],
                "level": names.get(line["level"], str(line["level"])),
                "message": line["message"],
            }
            for line in reversed(await self._ask("POST", "/logs/filter", body))
        ]

    async def artifacts(self, run_id: UUID) -> list[dict[str, Any]]:
        """What a run has left for people: tables, texts, links, and how far it is in percent."""
        body = {
            "artifacts": {"flow_run_id": {"any_": [str(run_id)]}},
            "sort": "CREATED_DESC",
            "limit": _ARTIFACTS,
        }
        found = await self._ask("POST", "/artifacts/filter", body)
        return [
            {
                "key": each["key"],
                "type": each["type"],
                "description": each["description"],
                "data": _data(each),
            }
            for each in reversed(found)
            if each["type"] != "result"
        ]

    async def cancel(self, run_id: UUID) -> str:
        """Have a run end; the state's name that it has then.

        Raises:
            Rejected: there is no such run, or it has ended.
        """
        run = await self.run(run_id)
        if run["state_type"] in OVER:
            raise Rejected(f"the run has ended: {run['state']}")
        return await self._set(run_id, {"type": "CANCELLING", "name": "Cancelling"})

    async def retry(self, run_id: UUID) -> str:
        """Have a run that did not end well go once more; the state's name that it has then.

        Raises:
            Rejected: there is no such run, or it goes on, or it ended well.
        """
        run = await self.run(run_id)
        if run["state_type"] not in UNWELL:
            words = "ended well" if run["state_type"] in OVER else "has not ended"
            raise Rejected(f"the run {words}: {run['state']}")
        if run["deployment_id"] is None:
            raise Rejected("the run is of no deployment: nobody would take it")
        return await self._set(run_id, {"type": "SCHEDULED", "name": "AwaitingRetry"})

    async def _set(self, run_id: UUID, state: dict[str, str]) -> str:
        body = {"state": state | {"message": "asked for by MCP"}}
        answer = await self._ask("POST", f"/flow_runs/{run_id}/set_state", body)
        # One that has no process yet is Cancelled at once, and Prefect calls that a refusal.
        is_ended = state["type"] == "CANCELLING" and answer["state"]["type"] == "CANCELLED"
        if answer["status"] != "ACCEPT" and not is_ended:
            reason = (answer.get("details") or {}).get("reason") or answer["status"]
            raise Rejected(f"Prefect does not do that: {reason}")
        return str(answer["state"]["name"])

    async def _runs(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        found = await self._ask("POST", "/flow_runs/filter", body)
        flows = await self._flow_names(run["flow_id"] for run in found)
        return [_run(run, flows[run["flow_id"]]) for run in found]

    async def _flow_names(self, ids: Iterable[str]) -> dict[str, str]:
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        body = {"flows": {"id": {"any_": wanted}}, "limit": 200}
        return {flow["id"]: flow["name"] for flow in await self._ask("POST", "/flows/filter", body)}


def _offer(found: dict[str, Any], flow: str) -> Offer:
    return Offer(
        id=UUID(found["id"]),
        name=f"{flow}/{found['name']}",
        description=found["description"] or "",
        schema=found["parameter_openapi_schema"] or {},
        given=found["parameters"] or {},
        is_paused=bool(found["paused"]),
    )


def _run(run: dict[str, Any], flow: str) -> dict[str, Any]:
    state = run["state"] or {}
    return {
        "id": run["id"],
        "flow": flow,
        "name": run["name"],
        "deployment_id": run["deployment_id"],
        "parameters": run["parameters"],
        "tags": run["tags"],
        "state": run["state_name"],
        "state_type": run["state_type"],
        "message": state.get("message"),
        "expected_at": run["expected_start_time"],
        "started_at": run["start_time"],
        "ended_at": run["end_time"],
        "seconds": round(run["estimated_run_time"] or 0.0, 2),
        "tries": run["run_count"],
    }


def _data(artifact: dict[str, Any]) -> Any:
    """An artifact's data: rows of a table, else as it is; what is very long is cut."""
    data = artifact["data"]
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    if len(text) > _DATA_CHARS:
        return f"{text[:_DATA_CHARS]}… ({len(text)} characters; see Prefect's UI)"
    if artifact["type"] == "table" and isinstance(data, str):
        return json.loads(data)
    return data
