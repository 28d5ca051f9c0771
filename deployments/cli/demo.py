"""``potok demo``: the whole way of a message, shown."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.cli.follow import Step
    from deployments.cli.showing import Arrival, Customer
    from deployments.cli.voice import Voiced
    from deployments.settings import Settings


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop when the lead has arrived.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON; progress goes to stderr.")
    ] = False,
) -> None:
    """Start everything, and follow a customer's message from Telegram to the CRM."""
    from deployments.cli.show import err, fail, out, plain_errors

    showing = _Demo(err if as_json else out, once, as_json)
    with plain_errors():
        try:
            asyncio.run(showing.play())
        except (KeyboardInterrupt, asyncio.CancelledError):
            if showing.is_unfinished:
                fail("interrupted; everything is stopped")


class _Demo:
    """One demo on one console; the JSON alone goes to stdout."""

    def __init__(self, console: Console, once: bool, as_json: bool) -> None:
        self._console = console
        self._once = once
        self._as_json = as_json
        self.is_unfinished = True

    async def play(self) -> None:
        from deployments.cli import showing as demo
        from deployments.cli.show import ConsoleProgress

        progress = ConsoleProgress(self._console)
        with contextlib.closing(progress):
            async with demo.stack_up(progress) as (settings, took_s):
                self._say(f"Ready in {took_s:.1f} s" if took_s else "A stack runs: it is used")
                customer = demo.customer_from(int(time.time()))
                self._say(f"\n[bold]{customer.name} writes to the bot in Telegram[/bold]")
                self._quote(customer.text)
                with self._waiting():
                    arrival = await demo.bring_lead(settings, customer, self._step)
                self._tell_lead(settings, arrival)
                voiced = await self._hear(settings, customer) if settings.has_speech else None
                self._tell_more(settings, arrival, stays_up=not (took_s and self._once))
                if took_s and not self._once:
                    self._finish(arrival, voiced)
                    self._say("\n[dim]Ctrl-C stops everything[/dim]")
                    await asyncio.Event().wait()
        self._finish(arrival, voiced)  # not before everything is stopped

    def _waiting(self) -> contextlib.AbstractContextManager[object]:
        if not self._console.is_terminal:
            return contextlib.nullcontext()
        return self._console.status("[dim]the message is on its way[/dim]")

    async def _hear(self, settings: Settings, customer: Customer) -> Voiced:
        """A voice message, of another person than the customer's."""
        from deployments.cli.voice import bring_voice

        self._say("\n[bold]Somebody sends a voice message[/bold]\n")
        with self._waiting():
            voiced = await bring_voice(settings, f"{customer.person}-voice", "Гость", self._step)
        self._total("voice → CRM", voiced.voice_to_crm_ms)
        self._quote(voiced.text)
        return voiced

    def _finish(self, arrival: Arrival, voiced: Voiced | None) -> None:
        from deployments.cli.store import json_from

        if self._as_json and self.is_unfinished:
            typer.echo(json_from(arrival.summary() | {"voice": voiced and voiced.summary()}))
        self.is_unfinished = False

    def _say(self, words: str) -> None:
        self._console.print(words, soft_wrap=True)

    def _quote(self, text: str) -> None:
        from deployments.cli.show import print_quote

        print_quote(self._console, text)
        self._say("")

    def _step(self, step: Step) -> None:
        self._say(f"  [green]✓[/green] {step.where:<11} {step.what:<43} {step.took_ms:5.0f} ms")

    def _total(self, way: str, took_ms: int) -> None:
        self._say(f"    [bold]{way:<55} {took_ms:5} ms[/bold]")

    def _tell_lead(self, settings: Settings, arrival: Arrival) -> None:
        from deployments.cli.leads import facts_of
        from deployments.cli.store import print_facts

        self._total("webhook → CRM", arrival.webhook_to_crm_ms)
        known = facts_of(settings, arrival.lead)
        shown = ("name", "phone", "sum", "wants", "read by", "CRM")
        self._say(f"\n[bold]Lead {arrival.lead.id}[/bold]")
        print_facts(self._console, {name: known[name] for name in shown})

    def _tell_more(self, settings: Settings, arrival: Arrival, *, stays_up: bool) -> None:
        from deployments.cli.leads import crm_link
        from deployments.cli.store import print_facts, run_link

        links = {
            "this flow run": run_link(settings, arrival.trace.flow_run_id),
            "Prefect": settings.prefect_ui_url,
            "gateway": f"{settings.gateway_url}/readyz",
            "the CRM's lead": crm_link(settings, arrival.lead),
            "logs": settings.home / "log",
        }
        self._say("\n[bold]Look[/bold]")
        print_facts(self._console, links)
        after = "" if stays_up else f" [dim](after `{_command()} up --sandbox`)[/dim]"
        self._say(f"\n[bold]Try[/bold]{after}")
        for words in TRY:
            self._say(f"  {_command()} {words}")


TRY = (
    'sandbox say "Нужна ипотека, 12 млн. Это Сергей, 8 903 555-12-12" --as customer-1',
    "leads list",
    "inbox list",
    "sandbox fail bitrix lose_answer [dim]# then say something else: no lead twice[/dim]",
)


def _command() -> str:
    """How this command is called here."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    is_on_path = found is not None and Path(found).resolve() == called.resolve()
    return called.name if is_on_path else str(called)
