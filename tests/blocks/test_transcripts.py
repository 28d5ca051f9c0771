"""How far a long recording is, as a bar among Prefect's artifacts."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from blocks.speech import SpeechService
from blocks.transcripts import TranscriptsReport, have_heard, show_progress
from lib.clients.speech import JobSeen
from lib.domain.recordings import Place
from lib.store.engine import Database
from lib.store.transcripts import Recording, Transcripts
from tests.stack_fixture import LiveStack
from tests.store.conftest import _empty_tables, db
from tests.store.making import run_sql

__all__ = ["_empty_tables", "db"]


async def the_recording(db: Database) -> Recording:
    await run_sql(db, "update transcripts set due_at = now() - interval '1 second'")
    (found,) = [each for each in await Transcripts(db).due() if each.ref == "file:long:1:1"]
    return found


@pytest.mark.filterwarnings("ignore:Artifact creation outside of a flow")
async def test_a_long_recording_has_one_bar_that_moves(stack: LiveStack) -> None:
    db = Database(stack.settings.database_url, 1)
    transcripts = Transcripts(db)
    await transcripts.note("file:long:1:1", Place(path="long", size_bytes=1))
    with temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}):
        await show_progress(transcripts, await the_recording(db), JobSeen(0, 0, None))
        assert (await the_recording(db)).artifact_id is None, "nothing is known of its length yet"
        await show_progress(transcripts, await the_recording(db), JobSeen(30, 120, None))
        first = await the_recording(db)
        await show_progress(transcripts, first, JobSeen(90, 120, None))
    last = await the_recording(db)
    assert first.artifact_id == last.artifact_id is not None
    shown = await stack.prefect(f"/artifacts/{last.artifact_id}")
    assert (shown["type"], float(shown["data"])) == ("progress", 75.0)
    await stack.prefect(f"/artifacts/{last.artifact_id}", method="DELETE")
    with temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}):
        await show_progress(transcripts, last, JobSeen(100, 120, None))
    await transcripts.end(last.id, "for this test")
    await db.close()


async def test_a_bug_with_one_recording_is_its_own(db: Database) -> None:
    transcripts = Transcripts(db)
    recordings = [
        await transcripts.note(f"file:{name}:1:1", Place(path=name, size_bytes=1))
        for name in ("a", "b")
    ]
    broken = SpeechService(
        base_url="http://127.0.0.1:1",
        api_key=SecretStr("ключ"),
        callback_url="http://127.0.0.1/",
        callback_secret=SecretStr("s"),
        folder=".",
    )
    report = await have_heard.fn(
        broken, db, [replace(each, job_id=uuid4()) for each in recordings], TranscriptsReport()
    )
    assert [each.word for each in report.outcomes] == ["waits", "waits"]
    assert all("UnicodeEncodeError" in each.why for each in report.outcomes)
    assert [each.tries for each in await transcripts.due()] == []
    rows = await transcripts.newest()
    assert all("UnicodeEncodeError" in row["error"] for row in rows)
