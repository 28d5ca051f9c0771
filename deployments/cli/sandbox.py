"""``potok sandbox``: write as a customer, see the stand-in CRM, switch failures on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="The stand-ins for the vendors.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]
Vendor = Annotated[
    str, typer.Argument(metavar="telegram|bitrix|llm|ollama|openrouter|groq|anthropic|paddle")
]


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What they write.")] = "",
    person: Annotated[str, typer.Option("--as", help="Who: any word.")] = "customer-1",
    name: Annotated[str, typer.Option(help="Their name in Telegram.")] = "",
    phone_card: Annotated[str, typer.Option(help="A phone they share as a contact card.")] = "",
    voice: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A recording; OGG is voice.")
    ] = None,
) -> None:
    """Write to the bot in Telegram, as a customer would."""
    from deployments.cli.show import fail, out, plain_errors

    if not text.strip() and not phone_card and not voice:
        fail("say something: a text, --phone-card with a phone, or --voice with a recording")
    who = {"as": person} | ({"name": name} if name else {})
    recording = {"voice_path": str(voice.resolve())} if voice else {}
    said = [who | recording | {"text": text}] if text.strip() or voice else []
    said += [who | {"contact": phone_card}] if phone_card else []
    with plain_errors():
        keys = asyncio.run(_say(said))
    for key in keys:
        out.print(f"said: `potok inbox show {key}` shows what becomes of it", soft_wrap=True)


@app.command()
def leads(as_json: Json = False) -> None:
    """List the leads of the stand-in CRM."""
    from deployments.cli import store as cli_store
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        found = asyncio.run(_ask("GET", "bitrix/leads"))
    if as_json:
        typer.echo(cli_store.json_from(found))
    elif found:
        cli_store.print_table(_table(found))
    else:
        out.print("the stand-in CRM has no leads: `potok sandbox say` makes one")


@app.command()
def fail(
    vendor: Vendor,
    kind: Annotated[str, typer.Argument(help="A wrong one lists those there are.")],
    times: Annotated[int | None, typer.Option(min=1, help="How often it strikes.")] = None,
    more: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A wrong one lists those the kind has."),
    ] = None,
) -> None:
    """Switch a failure of a vendor on."""
    from deployments.cli.show import out, plain_errors
    from lib.errors import Rejected

    with plain_errors():
        _check_vendor(vendor)
        failure: dict[str, Any] = {"kind": kind} | ({"times": times} if times else {})
        for word in more or []:
            field, equals, value = word.partition("=")
            if not equals:
                raise Rejected(f"--set {word!r} should be FIELD=VALUE")
            failure[field] = _value(value)
        answer = asyncio.run(_ask("POST", f"{vendor}/failures", failure))
        on = answer["failure"] if isinstance(answer, dict) else answer[-1]
        out.print(f"{vendor}: {_named(on)}{_end_of(vendor, on)}", soft_wrap=True)


@app.command()
def heal(vendors: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """End the failures of vendors; what they stored stays."""
    from deployments.cli.sandbox_calls import VENDORS
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        meant = _checked(vendors)
        on = {vendor: asyncio.run(_ask("GET", f"{vendor}/failures")) for vendor in VENDORS}
        for vendor in (ended := [name for name in meant if on[name]]):
            asyncio.run(_ask("DELETE", f"{vendor}/failures"))
            out.print(f"{vendor}: ended {', '.join(each['kind'] for each in on[vendor])}")
        for vendor in VENDORS if not ended else ():
            words = ", ".join(map(_named, on[vendor])) or "nothing is on"
            out.print(f"{vendor}: {words}", soft_wrap=True)


@app.command()
def reset(vendors: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Bring vendors back to their start: what they stored and what fails is forgotten."""
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        for vendor in (meant := _checked(vendors)):
            asyncio.run(_ask("POST", f"{vendor}/reset"))
        out.print(f"as at the start: {', '.join(meant)}", soft_wrap=True)


async def _say(said: list[dict[str, Any]]) -> list[str]:
    from deployments.cli.running import find_running
    from deployments.cli.sandbox_calls import SandboxCalls

    async with SandboxCalls(find_running()) as sandbox:
        return [await sandbox.say(one) for one in said]


async def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    from deployments.cli.running import find_running
    from deployments.cli.sandbox_calls import SandboxCalls

    async with SandboxCalls(find_running()) as sandbox:
        return await sandbox.ask(method, path, body)


def _checked(vendors: list[str] | None) -> list[str]:
    """These vendors, or all; Rejected names one that there is not."""
    from deployments.cli.sandbox_calls import VENDORS

    for vendor in vendors or ():
        _check_vendor(vendor)
    return vendors or list(VENDORS)


def _check_vendor(vendor: str) -> None:
    from deployments.cli.sandbox_calls import VENDORS
    from lib.errors import Rejected

    if vendor not in VENDORS:
        raise Rejected(f"there is no vendor {vendor!r}: it is one of {', '.join(VENDORS)}")


def _named(failure: dict[str, Any]) -> str:
    times = failure["times"]
    if times is None:
        return f"{failure['kind']} is on until it is ended"
    return f"{failure['kind']} is on for {times} {'call' if times == 1 else 'calls'}"


def _end_of(vendor: str, failure: dict[str, Any]) -> str:
    """What ends a failure that does not end by itself."""
    return "" if failure["times"] else f": `potok sandbox heal {vendor}`"


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from deployments.cli.store import on_screen

    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("id", justify="right")
    shown.add_column("title", overflow="fold")
    shown.add_column("comments", justify="right")
    shown.add_column("origin", overflow="ellipsis", no_wrap=True, style="dim")
    for lead in found:
        shown.add_row(
            str(lead["id"]),
            Text(on_screen(lead.get("title") or "")),
            str(len(lead.get("timeline") or [])),
            Text(on_screen(lead.get("originId") or "")),
        )
    return shown
