"""Recordings become text: a voice message goes on with its words, a file gets a note beside it.

Trigger  a message with a recording, by way of the inbox; the speech service's callback; every
         2 minutes, for the watched folder and for callbacks that were lost
In       a batch of events that name deliveries with recordings, or jobs that have ended
Out      transcripts in PostgreSQL; the message in the inbox again, with its words; .md and .srt
Pool     live
"""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from blocks._events import events_of
from blocks._load import load, load_if_any
from blocks.speech import SpeechService
from blocks.storage import Store
from blocks.transcripts import (
    TranscriptsReport,
    find_recordings,
    have_heard,
    publish_transcripts,
)


@flow(name="transcripts", timeout_seconds=900)
async def transcripts(batch_id: UUID | None = None, service: str = "main") -> TranscriptsReport:
    """Move each recording one step on; nothing here waits while one is being heard."""
    report = TranscriptsReport()
    if batch_id is None and await load_if_any(SpeechService, service) is None:
        return report  # no speech service is configured, and nothing asks for one
    store, speech = await load(Store, "main"), await load(SpeechService, service)
    async with events_of(store, batch_id) as events:
        recordings = await find_recordings(speech, events, report)
        await have_heard(speech, events.database, recordings, report)
    await publish_transcripts(report)
    report.check()
    return report
