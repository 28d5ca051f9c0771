"""``potok score``: why a lead has its score, and what other rules would change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deployments.cli.score_replay import Replay
    from deployments.settings import Settings
    from lib.domain.scoring import Rules, Scored

app = typer.Typer(
    help="Why a lead has its score, and what other rules would change.", no_args_is_help=True
)


@app.command()
def explain(lead_id: Annotated[str, typer.Argument(metavar="LEAD")]) -> None:
    """Show a lead's score and what it is made of."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        number = cli_store.id_from(lead_id, "lead")
        scored, of_what = asyncio.run(_explained(find_running().settings, number))
    start = scored.score - sum(reason.points for reason in scored.reasons)
    cli_store.print_facts(
        out, {"lead": number, "score": f"{scored.score} of 100, {scored.band}"} | of_what
    )
    out.print("  why", style="dim")
    out.print(f"    {start:+4d} every lead", style="dim")
    for reason in sorted(scored.reasons, key=lambda reason: -reason.points):
        out.print(f"    {reason.points:+4d} {cli_store.on_screen(reason.why)}", markup=False)


@app.command()
def replay(
    rules: Annotated[Path, typer.Option("--rules", help="The rules to try, as scoring.yaml.")],
    picture: Annotated[Path, typer.Option("--picture", help="Where the histogram goes.")] = Path(
        "scores.png"
    ),
) -> None:
    """Try other rules on every stored lead: who would change band. Nothing is written but a PNG."""
    from deployments.cli.running import find_running
    from deployments.cli.score_replay import drawn, replayed
    from deployments.cli.show import out, plain_errors
    from lib.rules import scoring_rules

    with plain_errors():
        tried, ours = _rules_in(rules), scoring_rules()
        found = asyncio.run(replayed(find_running().settings, ours, tried))
        picture.write_bytes(drawn(found, ours, tried))
    if not found.leads:
        out.print("there are no leads yet: `potok sandbox say` makes one in the sandbox")
        return
    _print_moves(found)
    out.print(f"the histogram: {picture}")


def _print_moves(found: Replay) -> None:
    from rich.table import Table

    from deployments.cli.show import out
    from deployments.cli.store import print_table
    from lib.domain.scoring import BANDS

    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("now")
    for band in BANDS:
        shown.add_column(f"→ {band}", justify="right")
    for before in BANDS:
        shown.add_row(before, *(str(found.moves[before, after]) for after in BANDS))
    print_table(shown)
    share = 100 * found.moved / found.leads
    out.print(f"{found.moved} of {found.leads} leads would change band ({share:.0f} %)")
    for lead_id, before, after in found.examples:
        out.print(f"  lead {lead_id}: {before} → {after}", style="dim")


def _rules_in(path: Path) -> Rules:
    from lib.domain.scoring import rules_from
    from lib.errors import Rejected

    try:
        return rules_from(path.read_text())
    except (OSError, UnicodeDecodeError) as exc:
        raise Rejected(f"{path} cannot be read: {type(exc).__name__}") from exc


async def _explained(settings: Settings, lead_id: int) -> tuple[Scored, dict[str, object]]:
    from deployments.cli.store import opened, time_text
    from lib.errors import Rejected
    from lib.store.scores import Scores

    async with opened(settings) as database:
        found = await Scores(database).show(lead_id)
    if found is None:
        raise Rejected(f"lead {lead_id} has no score: `potok leads list` shows the leads")
    scored, features, rules, at = found
    known = ", ".join(f"{name}={value}" for name, value in features.items() if value is not None)
    return scored, {"scored": time_text(at), "rules": rules, "features": known}
