"""``potok transcripts``: what recordings say, and what became of those that failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from deployments.settings import Settings

app = typer.Typer(help="What recordings say.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(metavar="NUMBER")]
COLOURS = {"waiting": "", "submitted": "", "done": "green", "failed": "red"}
WHY_CHARS = 60


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="waiting, submitted, done or failed.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Newest first.")] = 20,
) -> None:
    """List the newest recordings; their words are shown by `show`."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        found = asyncio.run(_newest(find_running().settings, state, limit))
    if found:
        cli_store.print_table(_table(found))
    else:
        out.print(f"nothing is {state}" if state else "no recording was asked for yet")


@app.command()
def show(
    number: Number,
    form: Annotated[str, typer.Option("--format", help="text, srt, vtt or verbose_json.")] = "text",
) -> None:
    """Show what a recording says."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors
    from lib.domain.transcripts import FORMATS, Transcript, written
    from lib.errors import Rejected

    shape = next((each for each in FORMATS if each == form), None)
    with plain_errors():
        if shape is None:
            raise Rejected(f"--format is one of {', '.join(FORMATS)}")
        row = asyncio.run(_shown(find_running().settings, number))
        if row["transcript"] is None:
            why = cli_store.on_screen(row["error"] or "potok transcripts list")
            raise Rejected(f"it is {row['state']}: {why}")
    said = written(Transcript.model_validate(row["transcript"]), shape, words=True)
    words = said if isinstance(said, str) else cli_store.json_from(said)
    out.print(cli_store.on_screen(words), markup=False, soft_wrap=True)


@app.command()
def retry(number: Number) -> None:
    """Let a recording that failed be heard anew."""
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        asyncio.run(_reopened(find_running().settings, number))
    out.print("it is heard within two minutes: `potok transcripts list`")


async def _newest(settings: Settings, state: str, limit: int) -> list[dict[str, Any]]:
    from deployments.cli.store import opened
    from lib.domain.recordings import State
    from lib.errors import Rejected
    from lib.store.transcripts import Transcripts

    states = get_args(State)
    wanted = next((each for each in states if each == state), None)
    if state and wanted is None:
        raise Rejected(f"there is no state {state!r}: it is one of {', '.join(states)}")
    async with opened(settings) as database:
        return await Transcripts(database).newest(limit, wanted)


async def _shown(settings: Settings, number: str) -> dict[str, Any]:
    from deployments.cli.store import id_from, opened
    from lib.errors import Rejected
    from lib.store.transcripts import Transcripts

    transcript_id = id_from(number, "recording")
    async with opened(settings) as database:
        row = await Transcripts(database).show(transcript_id)
    if row is None:
        raise Rejected(f"there is no recording {number}: `potok transcripts list`")
    return row


async def _reopened(settings: Settings, number: str) -> None:
    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.transcripts import Transcripts

    row = await _shown(settings, number)
    async with opened(settings) as database:
        if not await Transcripts(database).reopen(row["id"]):
            raise Rejected(f"it is {row['state']}: only what failed is heard anew")


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from deployments.cli.store import on_screen, short_time

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "asked for", "state", "seconds", "by", "recording", "why"):
        table.add_column(name)
    for row in found:
        table.add_row(
            str(row["id"]),
            short_time(row["created_at"]),
            Text(row["state"], COLOURS[row["state"]]),
            f"{row['duration_s']:.0f}" if row["duration_s"] is not None else "",
            row["model"] or "",
            Text(on_screen(row["ref"])),
            Text(on_screen(row["error"] or "")[:WHY_CHARS]),
        )
    return table
