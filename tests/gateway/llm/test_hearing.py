"""Recordings by the router: who hears them, in which order, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.groq_speech import SENTENCE
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.transcriptions import Sound, transcription
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import Transcript
from lib.errors import Rejected
from lib.router.outcomes import NobodyAnswered
from lib.router.record import Record
from lib.store.llm.calls import Call
from tests.gateway.llm.asking import alias, chat, count, provider
from tests.gateway.llm.open_house import Open
from tests.sandbox.sounds import CLIP, large

TURBO = {"provider": "groq", "model": "whisper-large-v3-turbo", "price": {"hour": 0.04}}
LARGE = {"provider": "groq", "model": "whisper-large-v3", "price": {"hour": 0.111}}


@dataclass
class Heard:
    """What the router gave, and its record."""

    transcript: Transcript
    call: Call


def sound_at(path: Path) -> Sound:
    with path.open("rb") as file:
        return Sound(path, path.stat().st_size, file.read(64))


async def hear(door: Open, path: Path = CLIP, name: str = "speech", **wishes: Any) -> Heard:
    router = door.house.router
    ask = transcription(name, sound_at(path), JobWishes(**wishes))
    record = Record("flow tests", None, ask.door, ask.name)
    router.check(ask)
    raw = await router.answer(ask, record)
    return Heard(Transcript.model_validate_json(raw), record.call())


async def test_a_recording_is_heard_and_priced_by_its_length(door: Open) -> None:
    heard = await hear(door, language="ru", words=True, prompt="Лизинг, Анна")
    assert heard.transcript.text == SENTENCE
    assert (heard.transcript.language, heard.transcript.model) == ("ru", TURBO["model"])
    [segment] = heard.transcript.segments
    assert [word.text for word in segment.words] == SENTENCE.split()
    assert 0 < segment.confidence < 1
    call = heard.call
    assert (call.door, call.provider, call.model) == (
        "audio/transcriptions",
        "groq",
        TURBO["model"],
    )
    assert float(call.price_usd or 0) == pytest.approx(
        0.04 * heard.transcript.duration_s / 3600, rel=1e-6
    )
    [entry] = await door.journal("groq")
    assert int(entry["headers"]["content-length"]) > CLIP.stat().st_size  # not in chunks
    assert entry["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    for words in ('name="language"', 'name="timestamp_granularities[]"', 'filename="sound.ogg"'):
        assert words in entry["body"]
    assert CLIP.stem not in entry["body"]


async def test_candidates_follow_each_other_as_in_a_chat(door: Open) -> None:
    provider(door, "groq", tries=1)
    for kind, fields, reason in (
        ("status", {"status": 503}, "unavailable"),
        ("status", {"status": 429, "retry_after_s": 0}, "rate limited"),
        ("not_found", {}, "no model"),
        ("status", {"status": 413}, "cannot do it"),
        ("empty", {}, "unavailable"),
        ("html", {}, "unavailable"),
        ("cut", {}, "unavailable"),
    ):
        await door.fail("groq", kind, times=1, model=TURBO["model"], **fields)
        heard = await hear(door)
        assert heard.transcript.model == LARGE["model"], kind
        assert [each["reason"] for each in heard.call.tries] == [reason]
        door.house.router.board.answered(f"groq/{TURBO['model']}")
    assert (await hear(door)).transcript.model == TURBO["model"]


async def test_a_provider_that_says_nothing_is_left_in_time(door: Open) -> None:
    provider(door, "groq", tries=1, timeouts={"connect": 1, "first_token": 0.2, "total": 0.4})
    await door.fail("groq", "hang", model=TURBO["model"])
    assert (await hear(door)).transcript.model == LARGE["model"]


async def test_a_file_that_is_too_large_is_sent_to_who_takes_it(door: Open, tmp_path: Path) -> None:
    path = large(tmp_path / "long.ogg", 25)
    alias(door, "speech", TURBO, LARGE | {"limit_mb": 100}, hears=True)
    await door.http.post(f"{door.sandbox}/control/groq/speech", json={"limit_mb": 100})
    heard = await hear(door, path)
    assert heard.transcript.model == LARGE["model"]
    assert [each["reason"] for each in heard.call.tries] == ["cannot do it"]
    assert await count(door, "groq", "requests") == 1
    await door.http.post(f"{door.sandbox}/control/groq/speech", json={"limit_mb": 25})
    with pytest.raises(NobodyAnswered, match=r"25\.0 MB, and it takes 25; .*413") as nobody:
        await hear(door, path)
    assert {each.reason for each in nobody.value.tries} == {"cannot do it"}
    assert door.house.router.board.wait_s(f"groq/{LARGE['model']}") == 0  # it is well


async def test_what_is_no_recording_is_told_at_once(door: Open) -> None:
    with pytest.raises(Rejected, match="must be one of the following types"):
        await hear(door, Path(__file__))
    assert await count(door, "groq", "requests") == 1


async def test_without_a_key_nobody_hears(door: Open) -> None:
    door.house.router.credential = {}.get
    with pytest.raises(NobodyAnswered, match="GROQ_API_KEY") as nobody:
        await hear(door)
    assert {each.reason for each in nobody.value.tries} == {"denied"}


async def test_only_who_hears_is_asked_to(door: Open) -> None:
    for name, words in (("main", "ask `speech`"), ("embed", "makes vectors only")):
        with pytest.raises(NotForThisModel, match=words):
            await hear(door, name=name)
    real = await hear(door, name="groq/whisper-large-v3")
    assert real.transcript.text == SENTENCE
    with pytest.raises(NobodyAnswered, match="hears no recordings"):
        await hear(door, name="ollama/qwen3:30b")


LISTS = (("/v1/models", "data", "id"), ("/api/tags", "models", "name"))


@pytest.mark.parametrize("names", [("*",), ("speech",), ("speech", "main")])
async def test_the_door_to_the_models_does_not_offer_it(door: Open, names: tuple[str, ...]) -> None:
    key = await door.new_key("recorder", *names)
    headers = {"authorization": f"Bearer {key}"}
    for path, field, name in LISTS:
        listed = (await door.http.get(door.url + path, headers=headers)).json()[field]
        found = [each[name] for each in listed]
        assert "speech" not in found
        assert ("main" in found) == (names != ("speech",))
    one = await door.http.get(f"{door.url}/v1/models/speech", headers=headers)
    shown = await door.http.post(f"{door.url}/api/show", json={"model": "speech"}, headers=headers)
    for answer in (one, shown):
        assert answer.status_code == 404
        assert "hears recordings" in answer.text
    for path, body in (
        ("/v1/chat/completions", chat("speech")),
        ("/api/chat", chat("speech")),
        ("/v1/messages", chat("speech", max_tokens=9)),
        ("/v1/embeddings", {"model": "speech", "input": "ping"}),
    ):
        answer = await door.ask(path, body, key=key)
        assert answer.status_code == 400, answer.text
        assert "`speech` hears recordings only: ask `" in answer.text
    assert await count(door, "groq", "requests") == 0
