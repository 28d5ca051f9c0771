"""Recordings as tasks: find what is to be heard, have it heard, and pass on what is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from httpx import HTTPError
from prefect import task
from prefect.artifacts import (
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE

from blocks._batch import error_text
from blocks._events import Events
from blocks._retry import retried
from blocks._sound import forget_left, sound_of
from blocks.alerts import tell_denied, tell_if_possible
from blocks.llm import transcribe
from blocks.speech import SpeechService
from lib.clients.speech import JobSeen
from lib.domain.recordings import GIVEN_UP_AFTER, POLL_EVERY, next_look
from lib.domain.speech_jobs import JobWishes
from lib.domain.texts import recordings_failed_text, recordings_wait_text
from lib.domain.transcripts import Transcript
from lib.errors import Denied, PotokError, Rejected, Unavailable
from lib.speech.folder import Folder
from lib.store.engine import Database
from lib.store.transcripts import Recording, Transcripts

log = logging.getLogger(__name__)

AT_ONCE = 4
FILES_A_RUN = 100
LONG_S = 60.0  # a shorter recording is heard before anybody looks for its progress
ELSEWHERE_AFTER = timedelta(minutes=2)  # our own service may have been restarted
TOLD_AT = 4  # tries that failed before a person is told that recordings wait


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording in a run, in a word, and why."""

    recording: Recording
    word: str
    why: str = ""
    error: PotokError | None = None


@dataclass(slots=True)
class TranscriptsReport:
    """A run: what became of each recording that it looked at."""

    outcomes: list[Outcome] = field(default_factory=list)
    folder_error: PotokError | None = None

    def check(self) -> None:
        """Raise what keeps the watched folder from being read."""
        if self.folder_error is not None:
            raise self.folder_error


@retried
async def find_recordings(
    service: SpeechService, events: Events, report: TranscriptsReport
) -> list[Recording]:
    """What a run looks at: of its events, or whatever is new in the folder or due."""
    transcripts = Transcripts(events.database)
    if events.batch_id is not None:
        asked = await transcripts.ask(events.named("delivery_id"))
        ended = await transcripts.of_jobs(events.named("job_id"))
        has_files = any(each.place.path for each in ended)
        files = await transcripts.next_files([each.id for each in ended]) if has_files else []
        return list({each.id: each for each in (*asked, *ended, *files)}.values())
    await asyncio.to_thread(forget_left)
    if service.folder:
        try:
            found = await asyncio.to_thread(Folder(Path(service.folder)).recordings)
        except Unavailable as exc:
            report.folder_error = exc
        else:
            for ref in (await transcripts.unknown(list(found)))[:FILES_A_RUN]:
                await transcripts.note(ref, found[ref])
    return await transcripts.due()


@task(cache_policy=NO_CACHE)
async def have_heard(
    service: SpeechService,
    database: Database,
    recordings: Sequence[Recording],
    report: TranscriptsReport,
) -> TranscriptsReport:
    """Submit what was not, and fetch what was heard; each recording fails alone.

    Safe to repeat: a recording is one job, whoever submits it how often, and ends once.
    """
    gate, transcripts = asyncio.Semaphore(AT_ONCE), Transcripts(database)

    async def one(recording: Recording) -> Outcome:
        async with gate:
            try:
                return await _tried(service, transcripts, recording)
            except Exception as exc:  # noqa: BLE001 — a bug: this one waits, the others go on
                why = error_text(exc)
                log.error("recording.broke id=%d error=%s", recording.id, why)
                await transcripts.look_again(recording.id, next_look(recording.tries + 1), why)
                return Outcome(recording, "waits", why)

    report.outcomes += await asyncio.gather(*map(one, recordings))
    return report


async def publish_transcripts(report: TranscriptsReport) -> None:
    """Leave a table of the run, and tell a person of what failed or waits for long."""
    rows = [
        {"id": each.recording.id, "recording": each.recording.ref, "is": each.word, "why": each.why}
        for each in report.outcomes
    ]
    if rows:
        await acreate_table_artifact(rows, key="transcripts", description="Recordings of this run")
    await tell_denied(each.error for each in report.outcomes)
    failed = [(each.recording.id, each.why) for each in report.outcomes if each.word == "failed"]
    if failed:
        await tell_if_possible(recordings_failed_text(failed))
    waits = [e for e in report.outcomes if e.word == "waits" and e.recording.tries + 1 == TOLD_AT]
    if waits:
        await tell_if_possible(recordings_wait_text(len(waits), waits[0].why))


async def show_progress(transcripts: Transcripts, recording: Recording, job: JobSeen) -> None:
    """Note how far a recording is; a long one has a bar among Prefect's artifacts."""
    percent = min(100.0, 100 * job.done_s / job.of_s) if job.of_s else 0.0
    artifact_id = await _show_bar(recording, percent, job.of_s) if job.of_s >= LONG_S else None
    await transcripts.look_again(recording.id, POLL_EVERY, artifact_id=artifact_id)


async def _show_bar(recording: Recording, percent: float, of_s: float) -> UUID | None:
    """Move a recording's bar, or make it; that somebody has deleted it costs no recording."""
    try:
        if recording.artifact_id is not None:
            return await aupdate_progress_artifact(recording.artifact_id, percent)
        words = f"Recording {recording.id}: heard of {of_s:.0f} s"
        key = f"transcript-{recording.id}"
        return await acreate_progress_artifact(percent, key=key, description=words)
    except HTTPError as exc:
        log.warning("recording.no_bar id=%d kind=%s", recording.id, type(exc).__name__)
        return None


async def _tried(service: SpeechService, transcripts: Transcripts, recording: Recording) -> Outcome:
    try:
        result = await _heard(service, transcripts, recording)
        if isinstance(result, Transcript):
            await _keep(service, recording, result)
    except Rejected as exc:
        result = str(exc)
    except PotokError as exc:
        if datetime.now(UTC) - recording.created_at > GIVEN_UP_AFTER:
            result = str(exc)
        else:
            pause = next_look(recording.tries + 1)
            await transcripts.look_again(recording.id, pause, str(exc))
            log.warning("recording.waits id=%d kind=%s", recording.id, type(exc).__name__)
            return Outcome(recording, "waits", str(exc), exc)
    if result is None:
        return Outcome(recording, "submitted")
    await transcripts.end(recording.id, result)
    if isinstance(result, str):
        log.warning("recording.failed id=%d reason=%s", recording.id, result)
        return Outcome(recording, "failed", result)
    seconds = f"{result.duration_s:.0f} s by {result.model}"
    log.info("recording.heard id=%d seconds=%.0f", recording.id, result.duration_s)
    return Outcome(recording, "heard" if result.text else "silent", seconds)


async def _keep(service: SpeechService, recording: Recording, heard: Transcript) -> None:
    """Write what a file of the watched folder says beside it, and fill the bar of a long one."""
    if recording.place.path:
        folder = Folder(Path(str(service.folder)))
        await asyncio.to_thread(folder.write, recording.place, heard, datetime.now(UTC))
    if recording.artifact_id is not None:
        await _show_bar(recording, 100.0, heard.duration_s)


async def _heard(
    service: SpeechService, transcripts: Transcripts, recording: Recording
) -> Transcript | str | None:
    """What a recording says, or why nobody knows; None: it is being heard."""
    if recording.job_id is not None:
        job = await _job_of(service, recording)
        if job is not None and job.result is None:
            await show_progress(transcripts, recording, job)
            return None
        if job is not None:
            return job.result
    wishes = JobWishes(language=service.language, words=True)
    async with sound_of(service, recording.place) as sound:
        try:
            job_id = await service.client().submit(
                sound,
                wishes,
                key=f"transcript-{recording.id}-{recording.created_at.timestamp():.0f}",
                ref=str(recording.id),
                callback_url=service.callback_url,
            )
        except Unavailable as exc:
            if not _is_late(recording):
                raise
            return await _heard_elsewhere(sound, wishes, exc)
    await transcripts.submitted(recording.id, job_id)
    log.info("recording.submitted id=%d job=%s", recording.id, job_id)
    return None


async def _job_of(service: SpeechService, recording: Recording) -> JobSeen | None:
    """The recording's job as it stands; None: there is none, or the service is away for long."""
    assert recording.job_id is not None
    try:
        return await service.client().fetch(recording.job_id)
    except Unavailable:
        if not _is_late(recording):
            raise
        return None


async def _heard_elsewhere(sound: Path, wishes: JobWishes, why: Unavailable) -> Transcript:
    """What whoever hears by the router's table says; when nobody does, our service's error."""
    try:
        return await transcribe(sound, language=wishes.language, words=wishes.words)
    except (Unavailable, Denied) as exc:
        log.warning("recording.not_heard_elsewhere reason=%s", exc)
        raise why from exc


def _is_late(recording: Recording) -> bool:
    """Whether it waits for long, and not for the first time: a restart sends nothing elsewhere."""
    return recording.tries > 0 and datetime.now(UTC) - recording.created_at > ELSEWHERE_AFTER
