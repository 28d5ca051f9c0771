"""``potok calls``: the calls of a lead, and counting again what was counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from rich.table import Table

    from deployments.settings import Settings
    from lib.clients.prefect_api import PrefectApi
    from lib.domain.calls import Counts
    from lib.store.lead_tables import Call

app = typer.Typer(help="The calls of leads.", no_args_is_help=True)

LOOK_EVERY_S = 0.5
SHOWN = 20


@app.command()
def show(lead_id: Annotated[str, typer.Argument(metavar="LEAD")]) -> None:
    """Show a lead's calls: how many, how long, and the newest."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        number = cli_store.id_from(lead_id, "lead")
        counts, calls = asyncio.run(_of_lead(find_running().settings, number))
    cli_store.print_facts(
        out,
        {
            "lead": number,
            "incoming": counts.incoming,
            "outgoing": counts.outgoing,
            "missed": counts.missed,
            "seconds": counts.seconds,
            "last": cli_store.time_text(counts.last_at),
        },
    )
    if calls:
        cli_store.print_table(_table(calls))


@app.command()
def recount(
    since: Annotated[str, typer.Option("--since", help="2026-11-01, or with a time, ISO 8601.")],
) -> None:
    """Read the calls since then again; counting again changes nothing that is right."""
    from deployments.cli.running import find_running
    from deployments.cli.show import fail, out, plain_errors, waiting
    from deployments.cli.store import run_link

    with plain_errors():
        settings, moment = find_running().settings, _moment(since)
        with waiting("counting"):
            run_id, state, table = asyncio.run(_recounted(settings, moment))
    for row in table:
        out.print(f"  {row['count']:>8}  {row['what']}", markup=False)
    out.print(f"  {run_link(settings, run_id)}", soft_wrap=True)
    if state != "COMPLETED":
        fail(f"the run is {state}: its page says why; what it has read is kept")


def _moment(word: str) -> datetime:
    from datetime import datetime

    from lib.errors import Rejected

    try:
        return datetime.fromisoformat(word).astimezone()
    except (ValueError, OverflowError) as exc:
        raise Rejected(f"'{word[:40]}' is no date: 2026-11-01 is meant") from exc


async def _of_lead(settings: Settings, lead_id: int) -> tuple[Counts, list[Call]]:
    from deployments.cli.store import opened
    from lib.domain.calls import Counts
    from lib.errors import Rejected
    from lib.store.calls import Calls
    from lib.store.leads import Leads

    async with opened(settings) as database:
        if await Leads(database).show(lead_id) is None:
            raise Rejected(f"there is no lead {lead_id}: `potok leads list`")
        calls = Calls(database)
        counts = await calls.counts([lead_id])
        return counts.get(lead_id, Counts()), await calls.newest(lead_id, SHOWN)


async def _recounted(
    settings: Settings, since: datetime
) -> tuple[UUID, str, Sequence[dict[str, object]]]:
    """A run that counts again; how it ended, and its table."""
    from uuid import UUID, uuid4

    from lib.clients.prefect_api import PrefectApi
    from lib.store.events import CALLS

    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    try:
        run = await prefect.create_run(
            await prefect.deployment(CALLS),
            {"since": since.isoformat(), "portal": "main"},
            key=f"recount:{uuid4()}",
            name=f"recount since {since:%Y-%m-%d}",
            tags=["calls"],
        )
        run_id = UUID(run["id"])
        state = await _ended(prefect, run_id)
        return run_id, state, await prefect.table_of(run_id)
    finally:
        await prefect.close()


async def _ended(prefect: PrefectApi, run_id: UUID) -> str:
    while True:
        state = (await prefect.states([run_id])).get(run_id, "gone")
        if state in _OVER:
            return state
        await asyncio.sleep(LOOK_EVERY_S)


_OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED", "POOLLESS", "gone"})


def _table(calls: Sequence[Call]) -> Table:
    from rich.table import Table

    from deployments.cli.store import on_screen, short_time

    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("began", no_wrap=True)
    for title in ("", "outcome", "phone"):
        shown.add_column(title, no_wrap=True)
    shown.add_column("seconds", justify="right")
    shown.add_column("call", justify="right")
    for call in calls:
        shown.add_row(
            short_time(call.started_at),
            call.direction,
            call.outcome,
            on_screen(call.phone or ""),
            str(call.seconds),
            str(call.id),
        )
    return shown
