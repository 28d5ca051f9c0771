"""Every deployment as a tool."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastmcp.exceptions import ToolError
from fastmcp.server.providers import Provider
from fastmcp.tools import Tool
from fastmcp.tools.base import ToolResult
from fastmcp.utilities.versions import VersionSpec
from mcp_types import ToolAnnotations
from pydantic import PrivateAttr

from lib.clients.prefect_runs import OVER, Offer
from lib.domain.mcp_schemas import input_schema, tool_name
from lib.errors import PotokError
from lib.gateway.mcp.caller import told
from lib.gateway.mcp.following import WAIT_S, Progress
from lib.gateway.mcp.house import House

log = logging.getLogger(__name__)

WAIT = "wait"
_WAIT_SCHEMA = {
    "type": "boolean",
    "default": False,
    "description": f"Until the run has ended, {WAIT_S:.0f} s at most, with its progress; else the"
    " answer comes at once.",
}
_HINTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False)


class DeploymentTool(Tool):
    """Runs a deployment with the parameters of its flow."""

    _house: House = PrivateAttr()
    _offer: Offer = PrivateAttr()

    @classmethod
    def of(cls, house: House, offer: Offer) -> DeploymentTool:
        """The tool of a deployment."""
        schema = input_schema(offer.schema, offer.given)
        # A flow that has such a parameter itself keeps it: then nobody can wait here.
        schema["properties"].setdefault(WAIT, _WAIT_SCHEMA)
        on_map = house.map.get(offer.name)
        does = on_map.words() if on_map else offer.description
        paused = " Its schedule is paused." if offer.is_paused else ""
        tool = cls(
            name=tool_name(offer.name),
            title=f"Run {offer.name}",
            description=f"{does}\nStarts a run of {offer.name}: `flow_run` shows it.{paused}",
            parameters=schema,
            annotations=_HINTS,
            tags={"run"},
        )
        tool._house, tool._offer = house, offer
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Start a run; its id, or with ``wait`` what became of it."""
        given = dict(arguments)
        is_waited = False
        if WAIT not in self._offer.schema.get("properties", {}):
            is_waited = _is_true(given.pop(WAIT, False))
        caller = self._house.callers.now()
        with told():
            run_id = await self._house.prefect.start(
                self._offer,
                given,
                name=f"mcp-{caller.name}-{time.strftime('%m%d-%H%M%S')}",
                tags=["mcp", f"mcp:{caller.name}"],
            )
            log.info(
                "mcp.started deployment=%s run=%s by=%s", self._offer.name, run_id, caller.name
            )
            seen = await wait_for_run(self._house, run_id, WAIT_S if is_waited else 0.0)
        return ToolResult(structured_content=seen)


class Deployments(Provider):
    """The tools of all deployments; with Prefect away those that are known."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house
        self._known: dict[str, DeploymentTool] = {}
        self._read: list[Offer] = []

    async def _list_tools(self) -> Sequence[Tool]:
        return list((await self._tools()).values())

    async def _get_tool(self, name: str, version: VersionSpec | None = None) -> Tool | None:
        return (await self._tools()).get(name)

    async def _tools(self) -> dict[str, DeploymentTool]:
        try:
            offers = await self._house.prefect.offers()
        except PotokError as exc:
            log.warning("mcp.deployments_not_read reason=%s", exc)
            return self._known
        if offers is not self._read:
            tools = [DeploymentTool.of(self._house, offer) for offer in offers]
            self._read, self._known = offers, {tool.name: tool for tool in tools}
        return self._known


async def wait_for_run(house: House, run_id: UUID, within_s: float) -> dict[str, Any]:
    """A run as it is once it has ended, or after so long."""
    began = time.monotonic()

    async def look() -> tuple[dict[str, Any], Progress | None]:
        run = await house.prefect.run(run_id)
        seen = run | {"url": house.run_link(run_id)}
        if run["state_type"] in OVER:
            return seen, None
        passed_s = time.monotonic() - began
        return seen, (passed_s, None, f"{run['state']} for {passed_s:.0f} s")

    if within_s > 0:
        return await house.following.follow(look, within_s)
    return (await look())[0]


def _is_true(said: Any) -> bool:
    if isinstance(said, bool):
        return said
    raise ToolError(f"{WAIT} is true or false", log_level=logging.INFO)
