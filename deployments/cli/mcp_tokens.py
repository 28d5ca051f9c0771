"""``potok mcp token``: what opens the MCP server's door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from deployments.settings import Settings
    from lib.store.llm.keys import Key, NewKey

app = typer.Typer(help="Tokens that open the MCP server's door.", no_args_is_help=True)

NAME_CHARS = 60
RPM = 120


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who gets it: a name of its own.")],
    scopes: Annotated[
        str,
        typer.Option(
            help="read: looks, and sees personal data; run: starts, ends and repeats runs;"
            " admin: all, and brings dead deliveries back."
        ),
    ] = "read",
    rpm: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests a minute.")] = RPM,
    expires: Annotated[str, typer.Option(help="Such as 30d or 12h: days or hours.")] = "",
) -> None:
    """Make a token; it is shown once."""
    from deployments.cli.running import find_running
    from deployments.cli.show import err, out, plain_errors
    from deployments.cli.store import print_facts

    with plain_errors():
        settings = find_running().settings
        secret = asyncio.run(_created(settings, _new_key(name, scopes, rpm, expires)))
    print_facts(out, {"token": secret, "": "shown once: only its hash is kept"}, indent=0)
    out.print()
    doors = {"Streamable HTTP": f"{settings.mcp_url}/mcp", "SSE": f"{settings.mcp_url}/sse"}
    print_facts(out, doors | {"header": f"Authorization: Bearer {secret[:12]}…"}, indent=0)
    if not settings.mcp:
        err.print("no server runs: POTOK_MCP=true in .env, then `potok up`", style="yellow")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="For a program to read.")] = False,
) -> None:
    """List every token that was ever made, the newest first; never the tokens themselves."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        keys = asyncio.run(_all(find_running().settings))
    if as_json:
        typer.echo(cli_store.json_from([_plain(key) for key in keys]))
    elif keys:
        cli_store.print_table(_table(keys))
    else:
        out.print("there are no tokens yet: `potok mcp token create NAME` makes one")


@app.command()
def revoke(name: Annotated[str, typer.Argument(metavar="NAME|PREFIX")]) -> None:
    """End a token, by its name or by the beginning that the list shows; it opens nothing more."""
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors
    from deployments.cli.store import on_screen

    with plain_errors():
        key = asyncio.run(_revoked(find_running().settings, name))
    out.print(f"{on_screen(_name(key))} ({key.prefix}…) opens nothing more", markup=False)


def _new_key(name: str, scopes: str, rpm: int, expires: str) -> NewKey:
    from datetime import UTC, datetime

    from lib.domain.llm.keys import span_from
    from lib.domain.mcp_scopes import key_name, key_names, scopes_from
    from lib.errors import Rejected
    from lib.store.llm.keys import NewKey

    plain = name.strip()
    if not plain or len(plain) > NAME_CHARS or not plain.isprintable():
        raise Rejected(f"a token's name has 1 to {NAME_CHARS} characters")
    return NewKey(
        key_name(plain),
        key_names(scopes_from(scopes)),
        rpm=rpm,
        expires_at=datetime.now(UTC) + span_from(expires) if expires else None,
    )


async def _created(settings: Settings, new: NewKey) -> str:
    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.llm.keys import Keys

    async with opened(settings) as database:
        keys = Keys(database)
        if any(key.name == new.name for key in await keys.living()):
            name = new.name.removeprefix("mcp:")
            words = f"there is a token named {name!r}: `potok mcp token revoke {name}` ends it"
            raise Rejected(words)
        return await keys.create(new)


async def _all(settings: Settings) -> list[Key]:
    from deployments.cli.store import opened
    from lib.domain.mcp_scopes import scopes_in
    from lib.store.llm.keys import Keys

    async with opened(settings) as database:
        return [key for key in await Keys(database).all() if scopes_in(key.names)]


async def _revoked(settings: Settings, name: str) -> Key:
    from datetime import UTC, datetime

    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.llm.keys import Keys

    living = [key for key in await _all(settings) if key.is_living(datetime.now(UTC))]
    found = [key for key in living if name == _name(key) or name[:12] == key.prefix]
    if len(found) != 1:
        raise Rejected(f"no living token named {name!r}: `potok mcp token list` shows them")
    async with opened(settings) as database:
        return await Keys(database).revoke(found[0].name)


def _name(key: Key) -> str:
    from lib.domain.mcp_scopes import PREFIX

    return key.name.removeprefix(PREFIX)


def _state(key: Key) -> str:
    from datetime import UTC, datetime

    if key.revoked_at is not None:
        return "revoked"
    return "living" if key.is_living(datetime.now(UTC)) else "expired"


def _plain(key: Key) -> dict[str, Any]:
    from lib.domain.mcp_scopes import scopes_in

    return {
        "name": _name(key),
        "prefix": key.prefix,
        "state": _state(key),
        "scopes": sorted(scopes_in(key.names)),
        "rpm": key.rpm,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
    }


def _table(keys: list[Key]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from deployments.cli.store import on_screen, short_time, time_text

    shown = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("token", "begins", "state", "scopes", "rpm", "expires", "used"):
        shown.add_column(title, no_wrap=True, overflow="ellipsis")
    for key in keys:
        said = _plain(key)
        shown.add_row(
            Text(on_screen(said["name"])),
            key.prefix,
            Text(said["state"], "" if said["state"] == "living" else "dim"),
            ",".join(said["scopes"]),
            str(key.rpm or ""),
            time_text(key.expires_at)[:16],
            short_time(key.last_used_at) if key.last_used_at else "never",
        )
    return shown
