"""A transcript out of what a provider answers, however strange that is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.languages import language_code
from lib.domain.transcript_reading import LONGEST_S, transcript_from
from lib.domain.transcripts import Segment, Transcript, Word, written
from lib.errors import Unavailable

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
SEGMENT = ["start", "end", "text", "avg_logprob", "no_speech_prob", "confidence", "speaker"]
WORD = ["start", "end", "word", "probability"]


def objects(names: list[str]) -> st.SearchStrategy[list[Any]]:
    sound = st.floats(0, 100) | st.text(max_size=5) | ANYTHING
    return st.lists(ANYTHING | st.dictionaries(st.sampled_from(names), sound), max_size=5)


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text() | ANYTHING,
        "language": st.text() | ANYTHING,
        "duration": st.floats() | ANYTHING,
        "segments": objects(SEGMENT) | ANYTHING,
        "words": objects(WORD) | ANYTHING,
    },
)


@given(ANSWERS, st.sampled_from([None, "ru"]))
def test_whatever_comes_is_a_sound_transcript_or_none(
    answer: dict[str, Any], asked: str | None
) -> None:
    if not isinstance(answer.get("text"), str):
        with pytest.raises(Unavailable, match="has no text"):
            transcript_from(answer, "m", asked)
        return
    found = transcript_from(answer, "m", asked)
    assert Transcript.model_validate_json(found.model_dump_json()) == found
    assert 0 <= found.duration_s <= LONGEST_S
    assert found.language or asked is None
    assert bool(found.text) >= bool(answer["text"].strip())
    for segment in found.segments:
        assert 0 <= segment.start_s <= segment.end_s <= found.duration_s
        for share in (segment.confidence, segment.no_speech):
            assert 0 <= share <= 1
        for word in segment.words:
            assert 0 <= word.start_s <= word.end_s
            assert 0 <= word.probability <= 1
    starts = [segment.start_s for segment in found.segments]
    assert starts == sorted(starts)


def test_what_groq_answers_is_read() -> None:
    segment = {"start": 0, "end": 2.5, "text": " Алло.", "avg_logprob": -0.25}
    more = {"start": 2.5, "end": 4, "text": " Да, слушаю.", "no_speech_prob": 0.5}
    words = [("Алло", 0, 1), ("Да", 2.6, 2.9), ("слушаю", 3, 4.0)]
    answer = {
        "text": " Алло. Да, слушаю.",
        "language": "Russian",
        "duration": "4.2",
        "segments": [segment, more],
        "words": [{"word": word, "start": start, "end": end} for word, start, end in words],
    }
    found = transcript_from(answer, "whisper-large-v3", None)
    assert (found.language, found.duration_s, found.model) == ("ru", 4.2, "whisper-large-v3")
    assert found.text == "Алло. Да, слушаю."
    assert [s.confidence for s in found.segments] == [pytest.approx(math.exp(-0.25)), 1.0]
    assert [[w.text for w in s.words] for s in found.segments] == [["Алло"], ["Да", "слушаю"]]


def test_a_text_without_times_is_one_segment_and_silence_is_none() -> None:
    found = transcript_from({"text": "Алло."}, "gpt-4o-transcribe", "ru")
    assert [(s.start_s, s.end_s, s.text) for s in found.segments] == [(0.0, 0.0, "Алло.")]
    assert found.language == "ru"
    silence = transcript_from({"text": "", "duration": 3, "segments": []}, "m", None)
    assert (silence.segments, silence.duration_s, silence.language) == ((), 3.0, "")


lengths = st.lists(st.floats(0.01, 9).map(lambda s: round(s, 2)), min_size=1, max_size=9)
share = st.floats(0, 1).map(lambda s: round(s, 4))


@given(lengths, share, share)
def test_what_our_own_service_answers_comes_back_as_it_was(
    steps: list[float], sure: float, silent: float
) -> None:
    at, said = 0.0, []
    for number, length in enumerate(steps):
        end = round(at + length, 3)
        word = Word(start_s=at, end_s=end, text=f"слово{number}", probability=sure)
        text = f"Слово {number}."
        segment = Segment(
            start_s=at, end_s=end, text=text, confidence=sure, no_speech=silent, words=(word,)
        )
        said.append(segment)
        at = end
    told = Transcript(
        language="ru", language_probability=1, duration_s=at, segments=tuple(said), model="m"
    )
    answer = written(told, "verbose_json", words=True)
    assert isinstance(answer, dict)
    assert transcript_from(answer, "m", None) == told


@pytest.mark.parametrize(
    ("said", "code"),
    [
        *(("russian", "ru"), ("Russian", "ru"), ("ru", "ru"), ("ru-RU", "ru"), ("EN_us", "en")),
        *(("Haitian Creole", "ht"), ("mandarin", "zh"), ("cantonese", "yue"), ("haw", "haw")),
        *(("", None), ("клингон", None), ("klingon", None), ("r", None)),
    ],
)
def test_a_language_by_name_or_code(said: str, code: str | None) -> None:
    assert language_code(said) == code


@given(st.text())
def test_no_name_of_a_language_breaks_it(said: str) -> None:
    code = language_code(said)
    assert code is None or (code.isascii() and 2 <= len(code) <= 3)


def test_every_language_of_the_model_has_a_name() -> None:
    for code in _LANGUAGE_CODES:
        assert language_code(code) == code
