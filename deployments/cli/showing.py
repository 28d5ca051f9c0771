"""The demo: a customer writes to the bot, and the message is followed to the CRM.

Nothing is warmed up: the first message is the measurement.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from deployments.cli import home, voice
from deployments.cli.follow import Follower, Step
from deployments.cli.running import check_sandbox, find_running
from deployments.cli.sandbox_calls import SandboxCalls
from deployments.cli.up import log_to, set_up_portal
from deployments.settings import Settings, read_settings
from deployments.stack.stack import Progress, Stack
from lib.errors import Unavailable
from lib.store.engine import Database
from lib.store.leads import Leads
from lib.store.tables import Lead
from lib.store.traces import Trace

READY_WITHIN_S = 120.0
LOOK_EVERY_S = 0.1

NAMES = ("Ирина Соколова", "Павел Громов", "Марина Белова", "Олег Тихонов", "Анна Лебедева")


@dataclass(frozen=True)
class Customer:
    """A person who was never here before, and what they write."""

    person: str
    name: str
    text: str


@dataclass(frozen=True)
class Arrival:
    """A lead that has arrived.

    Attributes:
        webhook_to_crm_ms: from the commit of the delivery to the CRM's recorded answer, by the
            database's clock.
    """

    lead: Lead
    trace: Trace
    webhook_to_crm_ms: int

    def summary(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "lead_id": self.lead.id,
            "crm_id": self.trace.crm_id,
            "flow_run_id": self.trace.flow_run_id,
            "webhook_to_crm_ms": self.webhook_to_crm_ms,
            "name": self.lead.name,
            "phone": self.lead.phone,
            "amount": self.lead.amount,
        }


def customer_from(number: int) -> Customer:
    """A customer by number; another number is another person with another phone."""
    name = NAMES[number % len(NAMES)]
    digits = f"{number % 10_000_000:07}"
    phone = f"8 (916) {digits[:3]}-{digits[3:5]}-{digits[5:]}"
    text = (
        f"Здравствуйте! Меня зовут {name}. Нужен кредит 5 млн руб. на закупку оборудования, "
        f"можно под залог склада. Перезвоните, пожалуйста, после обеда: {phone}"
    )
    return Customer(f"demo-{number}", name, text)


@asynccontextmanager
async def stack_up(progress: Progress) -> AsyncIterator[tuple[Settings, float | None]]:
    """The stack of this POTOK_HOME in sandbox mode: the one that runs, or one for the block.

    Yields:
        Its settings; seconds it took to start, None when it ran before.

    Raises:
        PotokError: it cannot be had; the message says why, and what to do.
    """
    if find_running().pid is None:
        settings = read_settings(POTOK_SANDBOX=True)
        if voice.can_hear():
            settings.speech_model = settings.speech_model or voice.MODEL
        home.check(settings.home)
        log_to(settings)
        async with Stack(settings, progress) as stack:
            await set_up_portal(settings)
            yield settings, stack.took_s["total"]
        return
    deadline = time.monotonic() + READY_WITHIN_S
    while not (now := find_running()).is_ready:
        if now.pid is None or time.monotonic() > deadline:
            raise Unavailable("the stack that was starting did not come up: `potok status`")
        await asyncio.sleep(LOOK_EVERY_S)
    check_sandbox(now)
    yield now.settings, None


async def bring_lead(
    settings: Settings, customer: Customer, show: Callable[[Step], None]
) -> Arrival:
    """Let the customer write, and wait until the lead is in the CRM.

    Args:
        settings: of the stack that runs.
        customer: who writes.
        show: told of each step once it is done.

    Raises:
        PotokError: it did not get there; the line says how far it came, and which log to read.
    """
    said = {"as": customer.person, "name": customer.name, "text": customer.text}
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(SandboxCalls(find_running()))
        database = Database(settings.database_url, pool_size=1)
        stack.push_async_callback(database.close)
        await database.check()  # connected before the clock runs
        key = await sandbox.say(said)
        trace = await Follower(settings, sandbox, database, key).until_done(show)
        assert trace.lead_id is not None
        assert trace.crm_at is not None
        found = await Leads(database).show(trace.lead_id)
    assert found is not None
    took = trace.crm_at - trace.received_at
    return Arrival(found[0], trace, round(took.total_seconds() * 1000))
