"""``potok leads``: the leads, and the words they were made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

if TYPE_CHECKING:
    from uuid import UUID

    from rich.table import Table

    from deployments.settings import Settings
    from lib.store.tables import Lead, LeadMessage

app = typer.Typer(help="The leads, and the words they were made of.", no_args_is_help=True)

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


@app.command("list")
def list_(limit: Limit = 20, as_json: Json = False) -> None:
    """List the leads that changed last."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        leads = asyncio.run(_newest(find_running().settings, limit))
    if as_json:
        typer.echo(cli_store.json_from([lead.model_dump() for lead in leads]))
    elif leads:
        cli_store.print_table(_table(leads))
    else:
        out.print("no leads yet: `potok sandbox say` makes one in the sandbox")


@app.command()
def show(lead_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show a lead, the person's words, and the flow runs that read them."""
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        settings = find_running().settings
        number = cli_store.id_from(lead_id, "lead")
        lead, messages, runs, score = asyncio.run(_one(settings, number))
    cli_store.print_facts(out, {"lead": lead.id} | facts_of(settings, lead) | {"score": score})
    out.print("  their words", style="dim")
    for message in messages:
        out.print(f"    {cli_store.time_text(message.at)}{_note(message)}", style="dim")
        for line in cli_store.on_screen(message.text).splitlines():
            out.print(f"    {line}", markup=False, soft_wrap=True)
    out.print("  flow runs", style="dim")
    for run in runs:
        out.print(f"    {cli_store.run_link(settings, run)}", soft_wrap=True)


def facts_of(settings: Settings, lead: Lead) -> dict[str, object]:
    """What is known of a lead, for people, by name."""
    from deployments.cli.store import time_text

    linked = ", was there before" if lead.crm_linked else ""
    behind = ", behind" if lead.crm_id and lead.crm_version < lead.version else ""
    return {
        "name": lead.name,
        "phone": lead.phone,
        "email": lead.email,
        "company": lead.company,
        "wants": lead.intent,
        "sum": _money(lead),
        "urgency": lead.urgency,
        "in short": lead.summary,
        "read by": {"rules": "rules alone", "rules+llm": "rules and LLM"}.get(lead.read_by),
        "person": lead.person,
        "opened": time_text(lead.opened_at),
        "last words": time_text(lead.last_message_at),
        "CRM": f"lead {lead.crm_id}{linked}{behind}" if lead.crm_id else "not there yet",
        "in the CRM": crm_link(settings, lead),
    }


def crm_link(settings: Settings, lead: Lead) -> str:
    """Where a lead is seen in the CRM; "" when it is not there."""
    webhook = settings.bitrix24_webhook_url
    if lead.crm_id is None or webhook is None:
        return ""
    if settings.is_sandbox:
        return (
            f"{settings.sandbox_url}/control/bitrix/leads?originId={quote(lead.origin, safe=':')}"
        )
    portal = webhook.get_secret_value().split("/rest/")[0]  # what follows is the secret
    return f"{portal}/crm/lead/details/{lead.crm_id}/"


async def _newest(settings: Settings, limit: int) -> list[Lead]:
    from deployments.cli.store import opened
    from lib.store.leads import Leads

    async with opened(settings) as database:
        return await Leads(database).newest(limit)


async def _one(settings: Settings, lead_id: int) -> tuple[Lead, list[LeadMessage], list[UUID], str]:
    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.leads import Leads
    from lib.store.scores import Scores

    async with opened(settings) as database:
        found = await Leads(database).show(lead_id)
        if found is None:
            raise Rejected(f"there is no lead {lead_id}: `potok leads list`")
        scored = await Scores(database).show(lead_id)
        score = f"{scored[0].score} of 100, {scored[0].band}" if scored else "none yet"
        return *found, await Leads(database).flow_runs(lead_id), score


def _table(leads: list[Lead]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from deployments.cli.store import on_screen, short_time

    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("id", justify="right")
    for title in ("last words", "name", "phone"):
        shown.add_column(title, no_wrap=True)
    shown.add_column("sum", justify="right", no_wrap=True)
    shown.add_column("wants", overflow="ellipsis", no_wrap=True)
    shown.add_column("CRM", justify="right")
    for lead in leads:
        shown.add_row(
            str(lead.id),
            short_time(lead.last_message_at),
            *(Text(on_screen(word or "")) for word in (lead.name, lead.phone, _money(lead))),
            Text(on_screen(lead.intent or "")),
            str(lead.crm_id or ""),
        )
    return shown


def _money(lead: Lead) -> str:
    from lib.domain.lead_texts import money_text

    return "" if lead.amount is None else money_text(lead.amount, lead.currency)


def _note(message: LeadMessage) -> str:
    from deployments.cli.store import time_text

    edited = f", edited {time_text(message.edited_at)}" if message.edited_at else ""
    notes = {"yes": "", "refused": ", refused by the CRM"}
    return edited + notes.get(message.in_crm, ", not in the CRM yet")
