"""Tools that look at runs, end them, and have them go once more."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal
from uuid import UUID

from fastmcp import FastMCP
from mcp_types import ToolAnnotations
from pydantic import Field

from lib.gateway.mcp.caller import told
from lib.gateway.mcp.deployments import wait_for_run
from lib.gateway.mcp.following import WAIT_S
from lib.gateway.mcp.house import House

log = logging.getLogger(__name__)

RunId = Annotated[UUID, Field(description="The id of a flow run.")]
Limit = Annotated[int, Field(ge=1, le=100, description="How many at most, the newest first.")]
State = Literal["RUNNING", "PENDING", "COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)
BEGINS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


class RunTools:
    """``flow_run``, ``flow_runs``, ``cancel`` and ``retry``."""

    def __init__(self, house: House) -> None:
        self._house = house

    def add_to(self, server: FastMCP[Any]) -> None:
        """Have a server offer them, each to those who have its scope."""
        server.tool(self.flow_run, tags={"read"}, annotations=LOOKS)
        server.tool(self.flow_runs, tags={"read"}, annotations=LOOKS)
        server.tool(self.cancel, tags={"run"}, annotations=ENDS)
        server.tool(self.retry, tags={"run"}, annotations=BEGINS)

    async def flow_run(
        self,
        run_id: RunId,
        log_lines: Annotated[int, Field(ge=0, le=200, description="Of its log, the last.")] = 50,
        log_level: Literal["debug", "info", "warning", "error"] = "info",
        wait: Annotated[
            bool, Field(description=f"Until it has ended, {WAIT_S:.0f} s at most.")
        ] = False,
    ) -> dict[str, Any]:
        """A flow run: its state, the end of its log, and the artifacts that it has left."""
        with told():
            seen = await wait_for_run(self._house, run_id, WAIT_S if wait else 0.0)
            lines = (
                await self._house.prefect.logs(run_id, log_lines, log_level) if log_lines else []
            )
            left = await self._house.prefect.artifacts(run_id)
        return seen | {"logs": lines, "artifacts": left}

    async def flow_runs(self, limit: Limit = 20, state: State | None = None) -> dict[str, Any]:
        """The newest flow runs: of which flow, in which state, when, and for how long."""
        with told():
            found = await self._house.prefect.latest(limit, [state] if state else [])
        return {"runs": [short(run) for run in found]}

    async def cancel(self, run_id: RunId) -> dict[str, Any]:
        """End a flow run that goes on or waits. What it had in hand goes back to the inbox."""
        with told():
            state = await self._house.prefect.cancel(run_id)
        log.info("mcp.cancelled run=%s by=%s", run_id, self._house.callers.now().name)
        return {"id": str(run_id), "state": state, "url": self._house.run_link(run_id)}

    async def retry(
        self,
        run_id: RunId,
        wait: Annotated[
            bool, Field(description=f"Until it has ended, {WAIT_S:.0f} s at most.")
        ] = False,
    ) -> dict[str, Any]:
        """Have a flow run that failed, crashed or was cancelled go once more."""
        with told():
            await self._house.prefect.retry(run_id)
            log.info("mcp.retried run=%s by=%s", run_id, self._house.callers.now().name)
            return await wait_for_run(self._house, run_id, WAIT_S if wait else 0.0)


def short(run: dict[str, Any]) -> dict[str, Any]:
    """A run as a line of a list."""
    shown = ("id", "flow", "name", "state", "started_at", "ended_at", "seconds")
    return {name: run[name] for name in shown}
