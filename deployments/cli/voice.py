"""A voice message in the demo: from Telegram to its words, and on to the CRM."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deployments.cli.follow import LOOK_EVERY_S, Step, took_ms
from deployments.cli.running import find_running
from deployments.cli.sandbox_calls import SandboxCalls
from deployments.settings import ROOT, Settings
from lib.errors import Unavailable
from lib.store.engine import Database
from lib.store.traces import Hearing, Trace, fetch_hearing, fetch_trace

VOICE = ROOT / "deployments" / "sandbox" / "voice.ogg"  # a person reads a novel; see voice.md
MODEL = "base"
WITHIN_S = 120.0


@dataclass(frozen=True)
class Voiced:
    """A voice message that has become a lead.

    Attributes:
        voice_to_crm_ms: from the commit of the message to the CRM's recorded answer.
    """

    text: str
    trace: Trace
    voice_to_crm_ms: int

    def summary(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "text": self.text,
            "lead_id": self.trace.lead_id,
            "crm_id": self.trace.crm_id,
            "voice_to_crm_ms": self.voice_to_crm_ms,
        }


def can_hear() -> bool:
    """Whether the extra ``speech`` is installed."""
    return find_spec("faster_whisper") is not None


async def bring_voice(
    settings: Settings, person: str, name: str, show: Callable[[Step], None], sound: Path = VOICE
) -> Voiced:
    """Let a person send a voice message, and wait until its lead is in the CRM.

    Raises:
        Unavailable: it did not get there; the line says how far it came, and which log to read.
    """
    database = Database(settings.database_url, pool_size=1)
    try:
        async with SandboxCalls(find_running()) as sandbox:
            key = await sandbox.say({"as": person, "name": name, "voice_path": str(sound)})
        return await _followed(settings, database, key, show)
    finally:
        await database.close()


async def _followed(
    settings: Settings, database: Database, key: str, show: Callable[[Step], None]
) -> Voiced:
    shown, deadline = 0, time.monotonic() + WITHIN_S
    while True:
        hearing = await fetch_hearing(database, key)
        trace = await fetch_trace(database, f"{key}:heard")
        steps = _steps_from(hearing, trace)
        for step in steps[shown:]:
            show(step)
        shown = len(steps)
        if hearing and hearing.state == "failed":
            raise Unavailable(f"the voice message cannot be heard: {hearing.error}")
        if hearing and trace and trace.settled_at and trace.crm_at:
            took = took_ms(hearing.received_at, trace.crm_at)
            return Voiced(hearing.text or "", trace, round(took))
        if trace and trace.settled_at:
            raise Unavailable(f"the voice message made no lead: {trace.error or trace.outcome}")
        if time.monotonic() > deadline:
            log = settings.home / "log" / ("speech.log" if shown < 3 else "worker.log")
            raise Unavailable(f"the voice message is no lead within {WITHIN_S:.0f} s (log: {log})")
        await asyncio.sleep(LOOK_EVERY_S)


def _steps_from(hearing: Hearing | None, trace: Trace | None) -> list[Step]:
    """The steps that are done, in order."""
    if hearing is None:
        return []
    asked_ms = took_ms(hearing.received_at, hearing.asked_at)
    steps = [Step("leads", "has a recording: its words are asked for", asked_ms)]
    if hearing.submitted_at is None:
        return steps
    submitted_ms = took_ms(hearing.asked_at, hearing.submitted_at)
    steps.append(Step("transcripts", "fetched from Telegram, submitted", submitted_ms))
    if hearing.heard_at is None:
        return steps
    heard_ms = took_ms(hearing.submitted_at, hearing.heard_at)
    steps.append(Step("speech", "listened to, by Whisper on this machine", heard_ms))
    if trace is None:
        return steps
    back_ms = took_ms(hearing.heard_at, trace.received_at)
    said = f"called back: {hearing.duration_s:.0f} s of speech"
    steps.append(Step("transcripts", said, back_ms))
    if trace.stored_at is None or trace.crm_at is None or trace.settled_at is None:
        return steps
    stored_ms = took_ms(trace.received_at, trace.stored_at)
    steps.append(Step("PostgreSQL", f"lead {trace.lead_id} stored", stored_ms))
    crm_ms = took_ms(trace.stored_at, trace.crm_at)
    return [*steps, Step("Bitrix24", f"lead {trace.crm_id} made", crm_ms)]
