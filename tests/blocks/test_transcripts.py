"""How far a long recording is, as a bar among Prefect's artifacts."""

from __future__ import annotations

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.transcripts import show_progress
from lib.clients.speech import JobSeen
from lib.domain.recordings import Place
from lib.store.engine import Database
from lib.store.transcripts import Recording, Transcripts
from tests.stack_fixture import LiveStack
from tests.store.making import run_sql


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
