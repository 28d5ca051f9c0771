"""Following one delivery from Telegram to the CRM, step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployments.cli.sandbox_calls import SandboxCalls
from deployments.cli.store import run_link
from deployments.settings import Settings
from lib.errors import Unavailable
from lib.store.engine import Database
from lib.store.traces import Trace, fetch_trace

WITHIN_S = 60.0
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Sent:
    """How Telegram handed an update over: when it began to, and when it was answered 200."""

    began_at: datetime
    answered_at: datetime


@dataclass(frozen=True)
class Step:
    """A step of the way that is done, and how long it took."""

    where: str
    what: str
    took_ms: float


# What did not happen when this many steps did, and the log that knows why.
STUCK = (
    ("Telegram could not deliver the message to the webhook", "gateway"),
    ("the webhook was answered and nothing was committed", "gateway"),
    ("the dispatcher made no flow run of it", "worker"),
    ("no worker started its flow run", "worker"),
    ("its flow run has not finished", "worker"),
)


def steps_from(sent: Sent | None, trace: Trace | None) -> list[Step]:
    """The steps that are done, in order."""
    steps: list[Step] = []
    if sent is None or trace is None:
        return steps
    answered_ms = took_ms(sent.began_at, sent.answered_at)
    steps.append(Step("Telegram", "update posted to the webhook, answered 200", answered_ms))
    committed_ms = took_ms(sent.began_at, trace.received_at)
    steps.append(Step("gateway", "of which: committed to the inbox", committed_ms))
    if trace.claimed_at is None or trace.flow_run_id is None:
        return steps
    steps.append(Step("dispatcher", "claimed", took_ms(trace.received_at, trace.claimed_at)))
    if trace.started_at is None:
        return steps
    steps.append(Step("worker", "flow run started", took_ms(trace.claimed_at, trace.started_at)))
    if trace.stored_at is None or trace.crm_at is None or trace.settled_at is None:
        return steps
    read_ms = float(((trace.outcome or {}).get("ms") or {}).get("read") or 0)
    stored_ms = max(0.0, took_ms(trace.started_at, trace.stored_at) - read_ms)
    return [
        *steps,
        Step("flow", "read by rules and LLM", read_ms),
        Step("PostgreSQL", f"lead {trace.lead_id} stored", stored_ms),
        Step("Bitrix24", f"lead {trace.crm_id} made", took_ms(trace.stored_at, trace.crm_at)),
    ]


class Follower:
    """Follows one delivery.

    Args:
        settings: of the stack that runs.
        sandbox: where Telegram's side is asked.
        database: where ours is.
        key: of the delivery.
    """

    def __init__(
        self, settings: Settings, sandbox: SandboxCalls, database: Database, key: str
    ) -> None:
        self._settings = settings
        self._sandbox = sandbox
        self._database = database
        self._key = key
        self._sent: Sent | None = None
        self._refused = ""

    async def until_done(self, show: Callable[[Step], None]) -> Trace:
        """Wait until its lead is in the CRM.

        Args:
            show: told of each step once it is done.

        Raises:
            Unavailable: it did not get there; the line says how far it came, and why.
        """
        deadline = time.monotonic() + WITHIN_S
        shown = 0
        while True:
            trace = await fetch_trace(self._database, self._key)
            self._sent = self._sent or await self._fetch_sent()
            steps = steps_from(self._sent, trace)
            for step in steps[shown:]:
                show(step)
            shown = len(steps)
            if trace is not None and trace.settled_at is not None and self._sent is not None:
                return self._arrived(trace)
            if time.monotonic() > deadline:
                raise self._stuck(shown, trace)
            await asyncio.sleep(LOOK_EVERY_S)

    def _arrived(self, trace: Trace) -> Trace:
        if trace.state == "dead":
            raise Unavailable(f"the message failed for good: {trace.error} ({self._log('worker')})")
        if trace.lead_id is None or trace.crm_id is None or trace.crm_at is None:
            result = (trace.outcome or {}).get("result")
            raise Unavailable(f"the message made no lead: {result} ({self._log('worker')})")
        return trace

    def _stuck(self, shown: int, trace: Trace | None) -> Unavailable:
        what, program = STUCK[min(shown, len(STUCK) - 1)]
        why = self._refused if shown == 0 else trace.error if trace else None
        run = run_link(self._settings, trace.flow_run_id) if trace else ""
        words = f"{what} within {WITHIN_S:.0f} s" + (f": {why}" if why else "")
        return Unavailable(f"{words} ({self._log(program)}{', run: ' if run else ''}{run})")

    def _log(self, program: str) -> str:
        return f"log: {self._settings.home / 'log' / program}.log"

    async def _fetch_sent(self) -> Sent | None:
        """How Telegram handed it over; None: not yet."""
        update_id = int(self._key.rpartition(":")[2])
        tries: list[dict[str, Any]] = (await self._sandbox.ask("GET", "telegram/deliveries"))[
            "deliveries"
        ]
        for each in (one for one in reversed(tries) if one["update_id"] == update_id):
            if each["outcome"] == 200:
                return Sent(_utc(each["started_at"]), _utc(each["ended_at"]))
            self._refused = str(each["outcome"])
        return None


def _utc(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def took_ms(began_at: datetime, ended_at: datetime) -> float:
    """Milliseconds between two moments."""
    return (ended_at - began_at).total_seconds() * 1000
