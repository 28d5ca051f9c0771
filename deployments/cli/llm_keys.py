"""``potok llm key``: keys that open the door to the models."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from rich.table import Table as Shown

    from deployments.settings import Settings
    from lib.domain.llm.table import Table
    from lib.store.llm.keys import Key, NewKey

    Permissions = Mapping[str, tuple[str, ...]]

app = typer.Typer(help="Keys that open the door to the models.", no_args_is_help=True)

NAME_CHARS = 64
ALL = "*"


@app.command()
def create(
    tool: Annotated[str, typer.Option("--tool", help="Who gets it: a name of its own.")],
    aliases: Annotated[
        str,
        typer.Option(
            help="a,b: what it may ask for. * is every alias; real models are named: groq/*, or"
            " groq/openai/gpt-oss-20b."
        ),
    ] = ALL,
    budget: Annotated[str, typer.Option(help="Such as 10usd/month, 0.5usd/day, 100usd.")] = "",
    rpm: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help="Calls a minute; after a pause up to ten of them, or a sixth, come at once.",
        ),
    ] = None,
    expires: Annotated[str, typer.Option(help="Such as 30d or 12h: days or hours.")] = "",
    keep_texts: Annotated[
        bool, typer.Option("--keep-texts", help="Keep its questions, for `potok llm texts`.")
    ] = False,
    usage_page: Annotated[
        bool, typer.Option("--usage-page", help="It opens the usage page, too.")
    ] = False,
) -> None:
    """Make a key; it is shown once."""
    from deployments.cli.llm_settings import settings_of_tools
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors
    from deployments.cli.store import print_facts
    from deployments.llm_access import TABLE
    from lib.router.shelf import Shelf

    with plain_errors():
        settings, table = find_running().settings, Shelf(TABLE).table
        new = _new_key(tool, _names(table, aliases), budget, rpm, expires)
        secret = asyncio.run(_created(settings, new, keep_texts, usage_page))
    print_facts(out, {"key": secret, "": "shown once: only its hash is kept"}, indent=0)
    out.print()
    may = table.permissions.get(new.name, new.names)
    if new.name in table.permissions:
        out.print(f"`permissions` of llm.yaml count: {', '.join(may)}\n", markup=False)
    speech_url = settings.speech_url if settings.has_speech else None
    print_facts(out, settings_of_tools(settings.llm_url, table, may, speech_url), indent=0)
    if usage_page:
        out.print(f"\nusage: {settings.llm_url}/usage, any user name, the key as the password")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="For a program to read.")] = False,
) -> None:
    """List every key that was ever made, the newest first; never the keys themselves."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        keys = asyncio.run(_all(find_running().settings))
    permissions = _permissions()
    if as_json:
        typer.echo(cli_store.json_from([_plain(key, permissions) for key in keys]))
    elif keys:
        cli_store.print_table(_table(keys, permissions))
    else:
        out.print("there are no keys yet: `potok llm key create --tool NAME` makes one")


@app.command()
def revoke(name: Annotated[str, typer.Argument(metavar="NAME|PREFIX")]) -> None:
    """End a key, by its name or by the beginning that the list shows; it opens nothing more."""
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors
    from deployments.cli.store import on_screen

    with plain_errors():
        key = asyncio.run(_revoked(find_running().settings, name))
    out.print(f"{on_screen(key.name)} ({key.prefix}…) opens nothing more", markup=False)


def _names(table: Table, aliases: str) -> tuple[str, ...]:
    """What a key may ask for; Rejected names what there is not."""
    from lib.domain.llm.names import check_names
    from lib.errors import Rejected

    names = tuple(dict.fromkeys(name.strip() for name in aliases.split(",") if name.strip()))
    if not names:
        raise Rejected("--aliases names nothing: `potok llm models` lists them, * is every one")
    check_names(table, names)
    return names


def _permissions() -> Permissions:
    """What the table says of keys; a table that cannot be read is told, and says nothing."""
    from deployments.cli.show import err
    from deployments.llm_access import TABLE
    from lib.errors import Rejected
    from lib.router.shelf import Shelf

    try:
        return Shelf(TABLE).table.permissions
    except Rejected as exc:
        err.print(str(exc), style="yellow", markup=False, soft_wrap=True)
        return {}


def _new_key(
    tool: str, names: tuple[str, ...], budget: str, rpm: int | None, expires: str
) -> NewKey:
    from datetime import UTC, datetime

    from lib.domain.llm.keys import budget_from, span_from
    from lib.errors import Rejected
    from lib.store.llm.keys import NewKey

    name = tool.strip()
    if not name or len(name) > NAME_CHARS or not name.isprintable():
        raise Rejected(f"--tool should be a name of 1 to {NAME_CHARS} characters")
    return NewKey(
        name,
        names,
        budget=budget_from(budget) if budget else None,
        rpm=rpm,
        expires_at=datetime.now(UTC) + span_from(expires) if expires else None,
    )


async def _created(settings: Settings, new: NewKey, keep_texts: bool, usage_page: bool) -> str:
    from dataclasses import replace

    from deployments.cli.store import opened
    from lib.store.llm.keys import Keys

    async with opened(settings) as database:
        wanted = replace(new, keeps_texts=keep_texts, sees_usage=usage_page)
        return await Keys(database).create(wanted)


async def _all(settings: Settings) -> list[Key]:
    from deployments.cli.store import opened
    from lib.store.llm.keys import Keys

    async with opened(settings) as database:
        return await Keys(database).all()


async def _revoked(settings: Settings, name: str) -> Key:
    from deployments.cli.store import opened
    from lib.store.llm.keys import Keys

    async with opened(settings) as database:
        return await Keys(database).revoke(name)


def _state(key: Key) -> str:
    from datetime import UTC, datetime

    if key.revoked_at is not None:
        return "revoked"
    if not key.is_living(datetime.now(UTC)):
        return "expired"
    return "used up" if key.budget and key.spent_usd >= key.budget.usd else "living"


def _plain(key: Key, permissions: Permissions) -> dict[str, Any]:
    from dataclasses import asdict

    shown = {name: value for name, value in asdict(key).items() if name != "hash"}
    budget = str(key.budget) if key.budget else None
    may = permissions.get(key.name, key.names)
    return shown | {"state": _state(key), "budget": budget, "may_ask_for": list(may)}


def _table(keys: list[Key], permissions: Permissions) -> Shown:
    from rich.table import Table as Shown
    from rich.text import Text

    from deployments.cli.store import on_screen, short_time, time_text

    shown = Shown(box=None, pad_edge=False, header_style="dim")
    for title in ("tool", "begins", "state", "may ask for", "spent", "rpm", "expires", "used"):
        shown.add_column(title, no_wrap=True, overflow="ellipsis")
    for key in keys:
        state = _state(key)
        counts = permissions.get(key.name) if state in ("living", "used up") else None
        names = ",".join(key.names) if counts is None else f"{','.join(counts)} (llm.yaml)"
        shown.add_row(
            Text(on_screen(key.name)),
            key.prefix,
            Text(state, {"living": "", "used up": "yellow"}.get(state, "dim")),
            Text(on_screen(names)),
            f"{_usd(key.spent_usd)}{f' of {key.budget}' if key.budget else ''}",
            str(key.rpm or ""),
            time_text(key.expires_at)[:16],
            short_time(key.last_used_at) if key.last_used_at else "never",
        )
    return shown


def _usd(usd: Decimal) -> str:
    """Cents; of less than a dollar as many digits as say something: 0.0012."""
    places = 2 if usd >= 1 or not usd else max(4, 1 - usd.adjusted())
    return f"{usd:.{places}f}"
