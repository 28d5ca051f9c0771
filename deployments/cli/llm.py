"""``potok llm``: keys, models and usage of the door to the models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import llm_keys

if TYPE_CHECKING:
    from datetime import datetime

    from deployments.settings import Settings

app = typer.Typer(help="The door to the models: keys, models, usage.", no_args_is_help=True)
app.add_typer(llm_keys.app, name="key")

Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


@app.command()
def usage(
    since: Annotated[str, typer.Option(help="How far back: 7d, 12h.")] = "7d",
    by: Annotated[str, typer.Option(help="key, alias, provider, model or day.")] = "key",
    as_json: Json = False,
) -> None:
    """Sum what was called and what it cost."""
    from deployments.cli import llm_tables
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        rows = asyncio.run(_usage(find_running().settings, since, by))
    if as_json:
        typer.echo(cli_store.json_from(rows))
    elif rows:
        cli_store.print_table(llm_tables.usage_table(rows, by))
    else:
        out.print(f"nothing was called in the last {since}")


@app.command()
def texts(
    tool: Annotated[str, typer.Option("--tool", help="Only this tool's.")] = "",
    since: Annotated[str, typer.Option(help="How far back: 7d, 12h.")] = "7d",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the questions of keys made with --keep-texts, the newest last."""
    from deployments.cli import llm_texts
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        rows = asyncio.run(_texts(find_running().settings, since, tool, limit))
    if as_json:
        typer.echo(cli_store.json_from(rows))
    elif rows:
        llm_texts.print_texts(out, rows)
    else:
        out.print(f"no question was kept in the last {since}: only keys made with --keep-texts are")


@app.command()
def models(as_json: Json = False) -> None:
    """List the aliases, who answers for each, and what the last probe found."""
    from deployments.cli import llm_tables
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import plain_errors

    with plain_errors():
        rows = asyncio.run(_models(find_running().settings))
    if as_json:
        typer.echo(cli_store.json_from(rows))
    else:
        cli_store.print_table(llm_tables.models_table(rows))


@app.command()
def ask(
    alias: Annotated[str, typer.Argument(metavar="ALIAS")],
    text: str,
    key: Annotated[str, typer.Option("--key", envvar="POTOK_LLM_KEY", help="Of a tool.")] = "",
) -> None:
    """Ask a model through the door, and print its answer as it comes."""
    from deployments.cli import llm_ask
    from deployments.cli.running import find_running
    from deployments.cli.show import fail, plain_errors

    if not (key.isascii() and key.isprintable() and key.strip()):
        fail("give --key or set POTOK_LLM_KEY: `potok llm key create --tool NAME` makes one")
    with plain_errors():
        asyncio.run(llm_ask.ask(find_running().settings.llm_url, key.strip(), alias, text))


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="Instead of deployments/llm.yaml.")] = None,
) -> None:
    """Read the table of models: OK, or the place that is wrong; and warnings, which are OK."""
    from deployments.cli import llm_check
    from deployments.cli.running import find_running
    from deployments.cli.show import err, out, plain_errors
    from deployments.llm_access import TABLE
    from lib.router.shelf import Shelf

    with plain_errors():
        table = Shelf(file or TABLE).table
        seen = asyncio.run(llm_check.known(find_running().settings))
    out.print(f"OK: {len(table.aliases)} aliases, {len(table.providers)} providers")
    for line in llm_check.warnings(table, seen):
        err.print(line, style="yellow", markup=False, soft_wrap=True)


async def _usage(settings: Settings, since: str, by: str) -> list[dict[str, Any]]:
    from deployments.cli.store import opened
    from lib.store.llm.calls import Calls

    begin = _ago(since)
    async with opened(settings) as database:
        return await Calls(database).usage(begin, by)


async def _texts(settings: Settings, since: str, tool: str, limit: int) -> list[dict[str, Any]]:
    from deployments.cli.store import opened
    from lib.store.llm.calls import Calls

    begin = _ago(since)
    async with opened(settings) as database:
        return await Calls(database).texts(begin, tool or None, limit)


def _ago(span: str) -> datetime:
    from datetime import UTC, datetime

    from lib.domain.llm.keys import span_from

    return datetime.now(UTC) - span_from(span)


async def _models(settings: Settings) -> list[dict[str, Any]]:
    from deployments.cli.llm_tables import model_rows
    from deployments.cli.store import opened
    from deployments.llm_access import TABLE
    from lib.router.shelf import Shelf
    from lib.store.llm.health import Healths

    table = Shelf(TABLE).table
    async with opened(settings) as database:
        found = {(each.provider, each.model): each for each in await Healths(database).read()}
    return model_rows(table, found)
