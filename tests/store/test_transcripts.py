"""Transcripts in PostgreSQL: asked for once, ended once, and told to every message that asked."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson

from lib.domain.inbound import Media
from lib.domain.recordings import FILES_AT_ONCE, Place
from lib.domain.transcripts import Segment, Transcript
from lib.store.engine import Database
from lib.store.transcripts import Transcripts
from tests.domain.making import inbound
from tests.store.making import came, deliveries, rows, run_sql


def voice(number: int) -> Media:
    return Media(kind="voice", file_id=f"file-{number}", file_unique_id=f"u{number}")


def saying(text: str) -> Transcript:
    segment = Segment(start_s=0, end_s=1, text=text)
    return Transcript(
        language="ru", language_probability=1, duration_s=1, segments=(segment,), model="base"
    )


async def heard(db: Database) -> dict[str, str]:
    """The texts of messages that came back with their words, by key."""
    found = await deliveries(db)
    return {k: row["message"]["message"]["text"] for k, row in found.items() if "heard" in k}


async def test_a_message_comes_back_once_with_its_words(db: Database) -> None:
    transcripts, delivery = Transcripts(db), await came(db, inbound("подпись", media=(voice(1),)))
    (one,) = await transcripts.ask([delivery])
    (same,) = await transcripts.ask([delivery])
    assert one.id == same.id
    assert one.place == Place(bot="main", file_id="file-1")
    assert await transcripts.end(one.id, saying("слова"))
    assert not await transcripts.end(one.id, saying("другие слова")), "it ends once"
    assert await transcripts.ask([delivery]) == []
    assert await heard(db) == {"telegram:main:1:heard": "подпись\nслова"}
    (row,) = await rows(db, "select * from transcripts")
    assert (row["state"], row["text"], row["duration_s"], row["asked_by"]) == (
        "done", "слова", 1.0, [delivery],
    )  # fmt: skip


async def test_an_edit_of_the_message_gets_what_was_heard_before(db: Database) -> None:
    transcripts, first = Transcripts(db), inbound(media=(voice(1),))
    (one,) = await transcripts.ask([await came(db, first)])
    await transcripts.end(one.id, saying("слова"))
    edit = first.model_copy(
        update={
            "kind": "edited",
            "event_id": "telegram:main:2",
            "message": first.message.model_copy(update={"text": "подпись"}),
        }
    )
    assert await transcripts.ask([await came(db, edit)]) == []
    assert (await heard(db))["telegram:main:2:heard"] == "подпись\nслова"


async def test_two_recordings_of_a_message_that_end_at_once_are_told_together(
    db: Database,
) -> None:
    transcripts = Transcripts(db)
    for number in range(10):
        message = inbound(message_id=number + 1, media=(voice(2 * number), voice(2 * number + 1)))
        one, two = await transcripts.ask([await came(db, message)])
        await asyncio.gather(
            transcripts.end(one.id, saying("раз")), transcripts.end(two.id, saying("два"))
        )
    texts = list((await heard(db)).values())
    assert texts == ["раз\nдва"] * 10


async def test_a_recording_that_a_message_has_twice_is_said_once(db: Database) -> None:
    transcripts = Transcripts(db)
    one, *_ = await transcripts.ask([await came(db, inbound(media=(voice(1), voice(1))))])
    await transcripts.end(one.id, saying("слова"))
    assert await heard(db) == {"telegram:main:1:heard": "слова"}


async def test_who_asks_while_it_ends_is_told_too(db: Database) -> None:
    transcripts = Transcripts(db)
    for number in range(10):
        first = inbound(message_id=number + 1, media=(voice(number),))
        (one,) = await transcripts.ask([await came(db, first)])
        edit = first.model_copy(update={"event_id": f"edit:{number}", "kind": "edited"})
        asked = await came(db, edit)
        await asyncio.gather(transcripts.end(one.id, saying("да")), transcripts.ask([asked]))
    assert len(await heard(db)) == 20


async def test_what_fails_or_is_silent_brings_no_words(db: Database) -> None:
    transcripts = Transcripts(db)
    message = inbound(media=(voice(1), voice(2), voice(3)))
    bad, silent, good = await transcripts.ask([await came(db, message)])
    await transcripts.end(good.id, saying("хорошо"))
    await transcripts.end(bad.id, "это не звук")
    await transcripts.end(silent.id, saying(" "))
    assert await heard(db) == {"telegram:main:1:heard": "хорошо"}
    assert await transcripts.reopen(bad.id)
    assert not await transcripts.reopen(silent.id), "it did not fail"
    (again,) = await transcripts.due()
    assert (again.id, again.state, again.job_id) == (bad.id, "waiting", None)
    await transcripts.end(again.id, saying("слова"))
    assert (await heard(db))["telegram:main:1:heard:2"] == "слова\nхорошо"


async def test_a_job_is_found_by_its_id_and_when_nobody_told_of_it(db: Database) -> None:
    transcripts, job_id = Transcripts(db), uuid4()
    one = await transcripts.note("file:a.ogg:1:1", Place(path="a.ogg", size_bytes=1))
    assert await transcripts.unknown(["file:a.ogg:1:1", "file:b.ogg:1:1"]) == ["file:b.ogg:1:1"]
    assert [each.id for each in await transcripts.due()] == [one.id]
    await transcripts.submitted(one.id, job_id)
    assert await transcripts.due() == [], "its callback is waited for"
    assert [each.id for each in await transcripts.of_jobs([str(job_id), str(uuid4())])] == [one.id]
    await run_sql(db, "update transcripts set due_at = now() - interval '1 second'")
    assert [each.job_id for each in await transcripts.due()] == [job_id]
    await transcripts.end(one.id, saying("слова"))
    assert await transcripts.due() == await transcripts.of_jobs([str(job_id)]) == []


async def test_tries_are_those_that_failed_one_after_another(db: Database) -> None:
    transcripts = Transcripts(db)
    (one,) = await transcripts.ask([await came(db, inbound(media=(voice(1),)))])
    for error, tries in (("away", 1), ("away", 2), (None, 0), ("away", 1)):
        await transcripts.look_again(one.id, timedelta(), error)
        assert [each.tries for each in await transcripts.due()] == [tries]
    await transcripts.submitted(one.id, uuid4())
    await transcripts.look_again(one.id, timedelta(), "away")
    assert [each.tries for each in await transcripts.due()] == [1]


async def test_few_files_are_heard_at_once(db: Database) -> None:
    transcripts = Transcripts(db)
    files = [
        await transcripts.note(f"file:{n}.ogg:1:1", Place(path=f"{n}.ogg", size_bytes=1))
        for n in range(FILES_AT_ONCE + 2)
    ]
    await transcripts.ask([await came(db, inbound(media=(voice(1),)))])
    await run_sql(db, "update transcripts set due_at = now() - make_interval(secs => 9 - id)")
    message, *first = await transcripts.due()
    assert message.place.path is None, "it is not behind the folder"
    assert [each.id for each in first] == [each.id for each in files[:FILES_AT_ONCE]]
    for each in (message, *first):
        await transcripts.submitted(each.id, uuid4())
    assert await transcripts.due() == []
    (after,) = await transcripts.next_files([first[0].id])
    assert after.id == files[FILES_AT_ONCE].id, "one has ended, another has its place"


async def test_lists_are_for_people(db: Database) -> None:
    transcripts = Transcripts(db)
    one = await transcripts.note("file:a.ogg:1:1", Place(path="a.ogg"))
    two = await transcripts.note("file:b.ogg:1:1", Place(path="b.ogg"))
    await transcripts.end(one.id, "это не звук")
    newest: list[dict[str, Any]] = await transcripts.newest()
    assert [row["id"] for row in newest] == [two.id, one.id]
    assert [row["error"] for row in await transcripts.newest(state="failed")] == ["это не звук"]
    shown = await transcripts.show(two.id)
    assert shown is not None
    assert orjson.loads(orjson.dumps(shown["place"]))["path"] == "b.ogg"
    assert await transcripts.show(10**9) is None
