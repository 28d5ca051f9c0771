"""``potok bitrix``: what a portal needs before the flows can use it."""

from __future__ import annotations

import asyncio

import typer

app = typer.Typer(help="The Bitrix24 portal.", no_args_is_help=True)


@app.callback()
def bitrix() -> None:
    """Keep the group a group while it has one command."""


@app.command()
def setup() -> None:
    """Make the missing user fields, tell missing rights, and what to enter for its events."""
    from deployments import portal_setup
    from deployments.cli.doctor import masked
    from deployments.cli.running import find_running
    from deployments.cli.show import err, out, plain_errors, waiting

    with plain_errors():
        settings = find_running().settings
        with waiting("asking the portal"):
            ready = asyncio.run(portal_setup.set_up(settings))
            if settings.is_sandbox:
                asyncio.run(portal_setup.set_up_sandbox(settings))
    for name in ready.there:
        out.print(f"there    {name}")
    for name in ready.made:
        out.print(f"made     {name}")
    out.print("\nDeveloper resources → Other → Outgoing webhook")
    out.print(f"  address  {ready.outgoing.address}", soft_wrap=True)
    out.print(f"  events   {', '.join(ready.outgoing.events)}", soft_wrap=True)
    token = settings.bitrix24_event_token
    told = masked(token) if token else "Bitrix24 shows it: BITRIX24_EVENT_TOKEN, then `potok init`"
    out.print(f"  token    {told}", soft_wrap=True)
    if settings.is_sandbox:
        out.print("\nThe sandbox tells these events from now on")
    for scope in ready.lacking:
        err.print(f"the incoming webhook lacks the right {scope}", style="yellow", soft_wrap=True)
    raise typer.Exit(1 if ready.lacking else 0)
