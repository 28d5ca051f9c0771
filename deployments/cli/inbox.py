"""``potok inbox``: what came in, and what became of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from deployments.settings import Settings
    from lib.store.inbox import DeliveryView

app = typer.Typer(help="What came in, and what became of it.", no_args_is_help=True)

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]

STAGES = ("read", "store", "crm")
COLOURS = {"received": "", "claimed": "", "failed": "yellow", "done": "green", "dead": "red"}


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="received, claimed, failed, done or dead.")] = "",
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the newest deliveries."""
    from dataclasses import asdict

    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        views = asyncio.run(_newest(find_running().settings, state, limit))
    if as_json:
        rows = [{k: v for k, v in asdict(view).items() if k != "raw"} for view in views]
        typer.echo(cli_store.json_from(rows))
    elif views:
        cli_store.print_table(_table(views))
    else:
        out.print(f"nothing is {state}" if state else "nothing came in yet")


@app.command()
def show(key: Annotated[str, typer.Argument(metavar="KEY|ID")]) -> None:
    """Show a delivery with its attempts, its error, its flow run and its body."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        settings = find_running().settings
        [view] = asyncio.run(_found(settings, [key]))
    rows = _facts(view) | {"flow run": cli_store.run_link(settings, view.flow_run_id)}
    cli_store.print_facts(out, rows)
    out.print("  body", style="dim")
    out.print(_body(view.raw or ""), markup=False, soft_wrap=True)


@app.command()
def retry(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY|ID]...")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead delivery.")] = False,
) -> None:
    """Bring dead deliveries back, as if new."""
    from deployments.cli.running import find_running
    from deployments.cli.show import fail, out, plain_errors

    if bool(keys) == all_dead:
        fail("name the deliveries, or give --all-dead: `potok inbox list --state dead` lists them")
    with plain_errors():
        count = asyncio.run(_retry(find_running().settings, keys or []))
    out.print("nothing is dead" if not count else f"{count} came back; `potok inbox list`")


async def _newest(settings: Settings, state: str, limit: int) -> list[DeliveryView]:
    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.inbox import STATES, Inbox

    if state and state not in STATES:
        raise Rejected(f"there is no state {state!r}: it is one of {', '.join(STATES)}")
    async with opened(settings) as database:
        return await Inbox(database).newest(state or None, limit)


async def _found(settings: Settings, keys: list[str]) -> list[DeliveryView]:
    """The deliveries of these keys or numbers; Rejected names those that are unknown."""
    from deployments.cli.store import is_id, is_text, on_screen, opened
    from lib.errors import Rejected
    from lib.store.inbox import Inbox

    views, unknown = [], []
    async with opened(settings) as database:
        for key in keys:
            sane = (is_id(key) or not key.isdigit()) and is_text(key)
            view = await Inbox(database).show(key) if sane else None
            views += [view] if view else []
            unknown += [] if view else [on_screen(key if len(key) <= 80 else f"{key[:80]}…")]
    if unknown:
        raise Rejected(f"no delivery has the key or number {', '.join(unknown)}")
    return views


async def _retry(settings: Settings, keys: list[str]) -> int:
    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.inbox import Inbox

    views = await _found(settings, keys)
    if others := [f"{view.key} is {view.state}" for view in views if view.state != "dead"]:
        raise Rejected(f"only the dead come back: {', '.join(others)}; nothing was changed")
    async with opened(settings) as database:
        return await Inbox(database).retry([view.key for view in views])


def _table(views: list[DeliveryView]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from deployments.cli.store import on_screen, short_time

    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("id", justify="right")
    for title in ("received", "state", "tries"):
        shown.add_column(title, no_wrap=True)
    for title in ("key", "what became of it"):
        shown.add_column(title, overflow="ellipsis", no_wrap=True)
    for view in views:
        shown.add_row(
            str(view.id),
            short_time(view.received_at),
            Text(view.state, COLOURS[view.state]),
            str(view.attempts or ""),
            Text(on_screen(view.key)),
            Text(on_screen(view.error or _outcome(view))),
        )
    return shown


def _facts(view: DeliveryView) -> dict[str, object]:
    from deployments.cli.store import time_text

    waits = view.state in ("received", "failed")
    stages = (view.outcome or {}).get("ms") or {}
    return {
        "delivery": f"{view.id}  {view.key}",
        "state": view.state,
        "failed tries": view.attempts or "",
        "error": view.error,
        "became": _outcome(view),
        "took": ", ".join(f"{stage} {stages[stage]} ms" for stage in STAGES if stage in stages),
        "received": time_text(view.received_at),
        "next try" if view.attempts else "due": time_text(view.due_at) if waits else "",
        "settled": time_text(view.settled_at),
        "chat": view.lane,
    }


def _outcome(view: DeliveryView) -> str:
    outcome = view.outcome or {}
    words = str(outcome.get("result", ""))
    if outcome.get("lead_id"):
        words += f" {outcome['lead_id']}"
    if outcome.get("crm_id"):
        words += f", CRM {outcome['crm_id']}"
    return words


def _body(raw: str) -> str:
    from deployments.cli.store import on_screen

    try:
        return on_screen(json.dumps(json.loads(raw), ensure_ascii=False, indent=2))
    except ValueError:
        return on_screen(raw)
