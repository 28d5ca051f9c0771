"""What providers are asked of a recording."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.exchange import Exchange
from lib.domain.llm.refusals import NotForThisModel, refusal_from
from lib.domain.llm.table import Candidate, Kind
from lib.domain.llm.transcriptions import MB, Sound, fields_from, filename_of, transcription
from lib.domain.speech_jobs import JobWishes
from lib.errors import Unavailable

STAMP = Stamp("s", 0, "m")
TIMES = "timestamp_granularities[]"


def sound(size_bytes: int = 9, head: bytes = b"OggS", name: str = "a.oga") -> Sound:
    return Sound(Path(name), size_bytes, head)


def exchange(kind: Kind, size_mb: float = 1, limit_mb: int | None = None) -> Exchange:
    candidate = Candidate(provider="p", model="m", limit_mb=limit_mb)
    ask = transcription("speech", sound(int(size_mb * MB)), JobWishes())
    return ask.exchange(kind, candidate, STAMP)


def test_the_form_has_what_is_wished() -> None:
    wishes = JobWishes(language="ru", words=True, prompt="Лизинг")
    assert fields_from("groq", Candidate(provider="groq", model="w"), wishes) == (
        *(("model", "w"), ("response_format", "verbose_json")),
        *(("language", "ru"), ("prompt", "Лизинг"), (TIMES, "segment"), (TIMES, "word")),
    )


def test_the_table_may_ask_for_another_format_which_has_no_times() -> None:
    extra = {"response_format": "json", "temperature": 0, "vad_filter": True}
    candidate = Candidate(provider="p", model="gpt-4o-transcribe", extra=extra)
    fields = dict(fields_from("openai", candidate, JobWishes()))
    assert fields["response_format"] == "json"
    assert (fields["temperature"], fields["vad_filter"]) == ("0", "true")
    assert TIMES not in fields


@pytest.mark.parametrize(("kind", "chars"), [("groq", 896), ("openrouter", 0), ("openai", 1000)])
def test_a_prompt_is_as_long_as_the_provider_takes(kind: Kind, chars: int) -> None:
    candidate = Candidate(provider="p", model="m")
    fields = dict(fields_from(kind, candidate, JobWishes(prompt="ё" * 1000)))
    assert len(fields.get("prompt", "")) == chars


@pytest.mark.parametrize("kind", ["ollama", "anthropic"])
def test_who_hears_nothing_is_not_asked(kind: Kind) -> None:
    with pytest.raises(NotForThisModel, match="hears no recordings"):
        exchange(kind)


def test_what_is_too_large_for_one_is_not_for_another() -> None:
    for kind, size_mb, limit_mb in (
        ("groq", 25.1, None),
        ("openai", 3, 2),
        ("openrouter", 26, None),
    ):
        with pytest.raises(NotForThisModel, match=rf"{size_mb:.1f} MB, and it takes"):
            exchange(kind, size_mb, limit_mb)  # type: ignore[arg-type]
    assert exchange("groq", 90, 100).form is not None
    assert exchange("openai", 900).form is not None
    assert isinstance(refusal_from(413, "too large"), NotForThisModel)


def test_an_answer_without_a_text_is_none_and_one_with_it_is_counted_by_its_length() -> None:
    asked = exchange("groq")
    for raw in (b"", b"[]", b"{}", b'{"text":null}', b"<html>"):
        with pytest.raises(Unavailable):
            asked.whole(raw)
    whole = asked.whole(b'{"text":"yes","duration":90,"usage":{"cost":0.5}}')
    assert (whole.usage.sound_s, float(whole.usage.usd or 0)) == (90.0, 0.5)


@pytest.mark.parametrize(
    ("head", "name", "told"),
    [
        (b"OggS\0\2", "voice.oga", "sound.ogg"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "x", "sound.wav"),
        (b"fLaC", "x.sound", "sound.flac"),
        (b"ID3\x04", "Иванов 8916.mp3", "sound.mp3"),
        (b"\xff\xfb\x90", "x", "sound.mp3"),
        (b"\0\0\0\x1cftypM4A ", "x", "sound.m4a"),
        (b"\0\0\0\x18ftypmp42", "x", "sound.mp4"),
        (b"\x1a\x45\xdf\xa3\x9f", "x.weba", "sound.webm"),
        (b"#!AMR", "x.AMR", "sound.amr"),
        (b"????", "no ending", "sound.bin"),
        (b"????", "x.тест", "sound.bin"),
    ],
)
def test_a_recording_is_named_by_what_it_is(head: bytes, name: str, told: str) -> None:
    assert filename_of(sound(head=head, name=name)) == told


@given(st.binary(max_size=32), st.text(st.characters(exclude_characters="/\0"), min_size=1))
def test_a_name_says_nothing_of_a_person_and_breaks_no_form(head: bytes, name: str) -> None:
    told = filename_of(sound(head=head, name=name))
    assert told.startswith("sound.")
    assert told.isascii()
    assert told[6:].isalnum()
