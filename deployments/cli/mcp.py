"""``potok mcp``: the MCP server by stdio, for an IDE on this machine; and tokens of its door."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from deployments.cli import mcp_tokens

app = typer.Typer(help="Flows, leads and the inbox as tools for IDEs (MCP).")
app.add_typer(mcp_tokens.app, name="token")


@app.callback(invoke_without_command=True)
def mcp(
    context: typer.Context,
    scopes: Annotated[
        str, typer.Option(help="What whoever starts it may do: read,run,admin.")
    ] = "read,run",
) -> None:
    """Serve MCP by stdio, for an IDE that starts this command; a subcommand does else."""
    if context.invoked_subcommand is not None:
        return
    from importlib.util import find_spec

    from deployments.cli.running import find_running
    from deployments.cli.show import plain_errors
    from lib.domain.mcp_scopes import scopes_from
    from lib.errors import Rejected

    with plain_errors():
        if find_spec("fastmcp") is None:
            raise Rejected("its extra is not installed: pip install 'potok[mcp]'")
        allowed, settings = scopes_from(scopes), find_running().settings
        from deployments.mcp import serve_stdio

        asyncio.run(serve_stdio(settings, allowed))
