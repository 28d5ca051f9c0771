"""``potok transcripts`` over a database with recordings that were heard, and not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lib.domain.recordings import Place
from lib.domain.transcripts import Segment, Transcript
from lib.store.engine import Database
from lib.store.transcripts import Transcripts
from tests.stack.conftest import Potok
from tests.store.making import run_sql


@pytest.fixture
async def recordings(database: str) -> AsyncIterator[str]:
    """Recording 1 was heard, 2 failed, 3 waits."""
    db = Database(database, pool_size=1)
    await run_sql(db, "truncate transcripts restart identity")
    transcripts = Transcripts(db)
    for name in ("a", "b", "c"):
        await transcripts.note(f"file:{name}.ogg:1:1", Place(path=f"{name}.ogg", size_bytes=1))
    segment = Segment(start_s=0, end_s=2, text="Привет\x1b[2J")
    heard = Transcript(
        language="ru", language_probability=1, duration_s=2, segments=(segment,), model="base"
    )
    await transcripts.end(1, heard)
    await transcripts.end(2, "это не звук\x1b[2J")
    yield database
    await db.close()


async def test_recordings_are_listed_without_their_words(potok: Potok, recordings: str) -> None:
    code, said, wrong = await potok("transcripts", "list", DATABASE_URL=recordings)
    assert (code, wrong) == (0, "")
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["3", "2", "1"]
    assert "Привет" not in said
    assert "\x1b" not in said
    _, said, _ = await potok("transcripts", "list", "--state", "failed", DATABASE_URL=recordings)
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["2"]


async def test_what_one_says_is_shown(potok: Potok, recordings: str) -> None:
    code, said, _ = await potok("transcripts", "show", "1", DATABASE_URL=recordings)
    assert (code, said.strip()) == (0, "Привет\N{REPLACEMENT CHARACTER}[2J")
    words = ("transcripts", "show", "1", "--format", "srt")
    _, said, _ = await potok(*words, DATABASE_URL=recordings)
    assert said.startswith("1\n00:00:00,000 --> 00:00:02,000\n")


async def test_one_that_failed_is_heard_anew(potok: Potok, recordings: str) -> None:
    code, _, _ = await potok("transcripts", "retry", "2", DATABASE_URL=recordings)
    assert code == 0
    _, said, _ = await potok("transcripts", "list", "--state", "waiting", DATABASE_URL=recordings)
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["3", "2"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "9"), "there is no recording 9"),
        (("show", "x"), "'x' is no recording"),
        (("show", "2"), "it is failed: это не звук"),
        (("show", "1", "--format", "doc"), "--format is one of"),
        (("retry", "1"), "it is done: only what failed is heard anew"),
        (("retry", "3"), "it is waiting: only what failed"),
        (("list", "--state", "lost"), "there is no state 'lost'"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    potok: Potok, recordings: str, words: tuple[str, ...], told: str
) -> None:
    code, _, wrong = await potok("transcripts", *words, DATABASE_URL=recordings)
    assert code == 1
    assert told in wrong
    assert "\x1b" not in wrong
    assert len(wrong.strip().splitlines()) == 1
