"""Recordings through the real flow, speech service and model: from a message, from a folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.speech import SpeechService
from deployments.cli.voice import VOICE
from deployments.stack.sandbox_access import BOT_TOKEN
from tests.flows.people import key as key_of
from tests.flows.people import new_phone
from tests.speech.conftest import DATA
from tests.stack_fixture import LiveStack, eventually
from tests.support import free_port

TRANSCRIPTS = "transcripts/main"
OTHER = "ru_0039.ogg"
LONG_AGO = "clock_timestamp() - interval '1 hour'"


@pytest.fixture
async def hearing(stack: LiveStack) -> AsyncIterator[LiveStack]:
    """A stack that hears."""
    await stack.pause(TRANSCRIPTS, paused=False)
    yield stack
    await stack.worked_off(TRANSCRIPTS)
    await stack.pause(TRANSCRIPTS)


async def say(stack: LiveStack, path: Path, **said: Any) -> str:
    """A new person sends a recording; the inbox key of the message."""
    body = {"as": f"speaker-{uuid4()}", "voice_path": str(path)} | said
    return await sent(stack, body)


async def sent(stack: LiveStack, body: dict[str, Any]) -> str:
    """What a person does in Telegram, brought to the webhook; its key."""
    told = await stack.control("telegram/say", {"token": BOT_TOKEN} | body)
    await stack.post(told["update"])
    return key_of(told["update"])


async def transcript_of(stack: LiveStack, key: str) -> dict[str, Any]:
    """What became of the recording of a message, once it has ended."""

    async def ended() -> dict[str, Any] | None:
        rows = await stack.rows(
            "select t.* from transcripts t join deliveries d on d.id = any(t.asked_by) "
            "where d.key = %s and t.state in ('done', 'failed')",
            key,
        )
        return rows[0] if rows else None

    return await eventually(ended)


async def run(stack: LiveStack, **parameters: Any) -> dict[str, Any]:
    """One run of the flow, ended; and its table."""
    deployment = await stack.prefect(f"/deployments/name/{TRANSCRIPTS}")
    asked = {"parameters": parameters}
    made = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", asked)
    ended = await stack.run_ended(UUID(made["id"]))
    tables = await stack.artifacts(UUID(made["id"]))
    return ended | {"table": tables[0] if tables else []}


async def test_a_voice_message_becomes_its_words_and_a_lead(hearing: LiveStack) -> None:
    key = await say(hearing, VOICE, name="Иван Говорящий")
    first, again = await hearing.settled([key, f"{key}:heard"])
    assert first["outcome"]["result"] == "to be heard"
    assert again["outcome"]["result"] == "lead"
    (lead,) = await hearing.rows("select * from leads where id = %s", again["outcome"]["lead_id"])
    assert lead["name"] == "Иван Говорящий"
    assert "хочу бежать" in lead["summary"]
    (there,) = await hearing.crm(lead["origin"])
    assert "хочу бежать" in there["comments"]
    assert "голосовое сообщение" in there["comments"]
    known = await transcript_of(hearing, key)
    assert (known["state"], known["language"], known["model"]) == ("done", "ru", "base")
    assert known["text"] == again["message"]["message"]["text"]
    words = [word for each in known["transcript"]["segments"] for word in each["words"]]
    assert len(words) >= 12
    assert all(0 <= word["start_s"] <= word["end_s"] <= known["duration_s"] + 1 for word in words)


async def test_a_caption_makes_its_lead_at_once_and_the_words_join_it(hearing: LiveStack) -> None:
    person, phone = f"speaker-{uuid4()}", new_phone()
    key = await sent(hearing, {"as": person, "voice_path": str(DATA / OTHER), "text": phone})
    first, again = await hearing.settled([key, f"{key}:heard"])
    assert first["outcome"]["lead_id"] == again["outcome"]["lead_id"] is not None
    message_id = first["message"]["message"]["id"]
    key = await sent(hearing, {"as": person, "text": f"{phone}, Олег", "edit_of": message_id})
    await hearing.settled([key, f"{key}:heard"])
    rows = await hearing.rows(
        "select text from lead_messages where lead_id = %s", first["outcome"]["lead_id"]
    )
    assert len(rows) == 1, "an edit is no second message"
    assert "Олег" in rows[0]["text"]
    assert "барышн" in rows[0]["text"], "what was said is still there after the edit"


async def test_the_words_of_who_has_a_lead_reach_the_crm_once(hearing: LiveStack) -> None:
    person = f"speaker-{uuid4()}"
    key = await sent(hearing, {"as": person, "text": f"нужен кредит, {new_phone()}"})
    (wish,) = await hearing.settled([key])
    key = await sent(hearing, {"as": person, "voice_path": str(DATA / OTHER)})
    _, again = await hearing.settled([key, f"{key}:heard"])
    (lead,) = await hearing.rows("select * from leads where id = %s", wish["outcome"]["lead_id"])
    assert again["outcome"]["lead_id"] == lead["id"]
    (there,) = await hearing.crm(lead["origin"])
    said = [note["COMMENT"] for note in there["timeline"] if "барышн" in note["COMMENT"]]
    assert len(said) == 1, "its first version said only that there is a voice message"
    known = await hearing.potok("leads", "show", str(lead["id"]))
    assert known.count("барышн") == 1


async def test_what_is_no_sound_fails_and_a_person_is_told(
    hearing: LiveStack, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.ogg"
    bad.write_bytes(b"OggS" + os.urandom(5_000))
    key = await say(hearing, bad)
    known = await transcript_of(hearing, key)
    assert known["state"] == "failed"
    assert known["error"]

    async def told() -> bool:
        return any(f"• {known['id']}: " in text for text in await hearing.sent())

    await eventually(told)
    assert await hearing.deliveries([f"{key}:heard"]) == []


async def test_silence_is_heard_and_says_nothing(hearing: LiveStack, tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    with wave.open(str(silent), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * 3))
    key = await say(hearing, silent)
    known = await transcript_of(hearing, key)
    assert (known["state"], known["text"]) == ("done", "")
    assert await hearing.deliveries([f"{key}:heard"]) == []


class Watched(NamedTuple):
    """A folder, and the block that names it."""

    stack: LiveStack
    folder: Path
    block: str


async def test_a_service_that_is_killed_hears_it_after_it_is_back_and_once(
    hearing: LiveStack,
) -> None:
    keys = [await say(hearing, VOICE) for _ in range(3)]

    async def begun() -> bool:
        return bool(await hearing.rows("select id from speech_jobs where state = 'running'"))

    await eventually(begun)
    hearing.send("speech", signal.SIGKILL)
    rows = await hearing.settled([f"{key}:heard" for key in keys])
    assert [row["outcome"]["result"] for row in rows] == ["lead"] * 3
    assert len({row["outcome"]["lead_id"] for row in rows}) == 3


@pytest.fixture
async def watched(hearing: LiveStack, tmp_path: Path) -> Watched:
    """A watched folder, by a block whose callbacks get lost."""
    folder, name = tmp_path / "Записи", f"watched-{uuid4()}"
    folder.mkdir()
    url = f"{hearing.settings.gateway_url}/hooks/none"
    with temporary_settings({PREFECT_API_URL: hearing.settings.prefect_api_url}):
        block = await SpeechService.aload("main")
        lost = block.model_copy(update={"folder": str(folder), "callback_url": url})
        await lost.asave(name)
    return Watched(hearing, folder, name)


def put(folder: Path, name: str, source: str = OTHER) -> Path:
    """A recording that has lain in a folder for a while."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(DATA / source, path)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


async def heard_without_callbacks(stack: LiveStack, block: str) -> dict[str, Any]:
    """The run that finds everything of the folder ended."""

    async def ended() -> dict[str, Any] | None:
        await stack.rows(f"update transcripts set due_at = {LONG_AGO} where state = 'submitted'")
        found = await run(stack, service=block)
        waits = "select id from transcripts where state in ('waiting', 'submitted')"
        return found if not await stack.rows(waits) else None

    return await eventually(ended)


async def test_a_file_gets_notes_beside_it_though_its_callback_is_lost(
    watched: Watched,
) -> None:
    stack, folder, block = watched
    meeting, film = put(folder, "2026/встреча.ogg"), put(folder, "фильм.mp4")
    theirs = folder / "фильм.md"
    theirs.write_text("# Моё\n")
    (folder / "заметка.txt").write_text("не запись")
    await run(stack, service=block)
    await heard_without_callbacks(stack, block)
    note, titles = meeting.with_suffix(".md").read_text(), meeting.with_suffix(".srt").read_text()
    assert 'recording: "встреча.ogg"' in note
    assert "барышн" in note
    assert titles.startswith("1\n00:00:00")
    assert theirs.read_text() == "# Моё\n"
    assert "барышн" in film.with_name("фильм.mp4.md").read_text()
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert not {name for name in left if name.endswith(".part")}
    before = await stack.rows("select count(*) from transcripts")
    meeting.with_suffix(".md").touch()
    await run(stack, service=block)
    assert await stack.rows("select count(*) from transcripts") == before, "heard once"


async def test_a_file_that_has_no_note_yet_keeps_no_other_from_having_its_own(
    watched: Watched,
) -> None:
    stack, folder, block = watched
    gone, good = put(folder, "ниже/а.ogg"), put(folder, "б.ogg")
    put(folder, os.fsdecode(b"\xff.ogg"))
    await run(stack, service=block)
    away = folder.parent / "вынуто"
    gone.parent.rename(away)

    async def both_ended() -> dict[str, Any] | None:
        await stack.rows(f"update transcripts set due_at = {LONG_AGO} where state = 'submitted'")
        found = await run(stack, service=block)
        return found if good.with_suffix(".md").exists() and await waits() else None

    async def waits() -> list[dict[str, Any]]:
        return await stack.rows(
            "select id from transcripts where state = 'submitted' and tries > 0"
        )

    await eventually(both_ended)
    away.rename(gone.parent)
    await heard_without_callbacks(stack, block)
    assert "барышн" in gone.with_suffix(".md").read_text()


async def test_a_service_that_stays_away_is_stood_in_for_by_the_table(watched: Watched) -> None:
    stack, folder, _ = watched
    put(folder, "звонок.ogg")
    away = f"watched-{uuid4()}"
    with temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}):
        block = await SpeechService.aload(watched.block)
        await block.model_copy(update={"base_url": f"http://127.0.0.1:{free_port()}"}).asave(away)
    first = await run(stack, service=away)
    assert [row["is"] for row in first["table"]] == ["waits"], "it may just be restarted"
    is_old = f"update transcripts set due_at = {LONG_AGO}, created_at = {LONG_AGO}"
    await stack.rows(f"{is_old}, tries = 0 where state = 'waiting'")
    again = await run(stack, service=away)
    assert [row["is"] for row in again["table"]] == ["waits"], "also after hours in its queue"
    await stack.rows(f"{is_old} where state = 'waiting'")
    second = await run(stack, service=away)
    (row,) = second["table"]
    assert row["is"] == "heard"
    assert "whisper-large-v3" in row["why"]
    assert "whisper-large-v3" in (folder / "звонок.md").read_text()


async def test_a_folder_that_is_gone_is_told(watched: Watched) -> None:
    stack, folder, block = watched
    await asyncio.to_thread(shutil.rmtree, folder)
    ended = await run(stack, service=block)
    assert ended["state_type"] == "FAILED"
    assert "SPEECH_FOLDER" in ended["state"]["message"]
