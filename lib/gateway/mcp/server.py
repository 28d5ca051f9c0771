"""The MCP server: tools and resources over a house, for whatever transport."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError

from lib.gateway.mcp.caller import Scoped, told
from lib.gateway.mcp.deployments import Deployments
from lib.gateway.mcp.house import House
from lib.gateway.mcp.recordings import RecordingTools
from lib.gateway.mcp.records import RecordTools
from lib.gateway.mcp.runs import RunTools, short

LATEST = 20
INSTRUCTIONS = """\
Potok runs a company's data flows. The resource potok://map says what each flow does; the tools
run_… start one and answer with the id of its run, which flow_run shows. Leads, deliveries and
transcriptions are personal data: ask for texts of messages only where they are needed."""


def create_server(house: House, version: str) -> FastMCP[Any]:
    """The server.

    Args:
        house: what is behind its tools.
        version: told to clients.
    """
    server: FastMCP[Any] = FastMCP(
        "potok",
        instructions=INSTRUCTIONS,
        version=version,
        providers=[Deployments(house)],
        middleware=[Scoped(house.callers)],
        mask_error_details=True,  # of errors that are not ours nobody outside is told
    )
    for tools in (RunTools(house), RecordTools(house), RecordingTools(house)):
        tools.add_to(server)
    _add_resources(server, house)
    return server


def _add_resources(server: FastMCP[Any], house: House) -> None:
    json = "application/json"

    @server.resource("potok://map", name="map", mime_type=json)
    async def flows() -> dict[str, Any]:
        """Every flow: what starts it, what goes in, what comes out, and when it runs by itself."""
        return {"flows": [asdict(flow) for flow in house.map.values()]}

    @server.resource("potok://runs/latest", name="latest runs", mime_type=json)
    async def latest_runs() -> dict[str, Any]:
        """The newest flow runs, as `flow_runs` gives them."""
        with told(ResourceError):
            found = await house.prefect.latest(LATEST)
        return {"runs": [short(run) for run in found]}
