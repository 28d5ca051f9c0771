"""Recordings: how they are cut and joined, and how what was said is written down."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.cutting import Span, by_speaker, joined, plan_parts
from lib.domain.transcripts import FORMATS, Segment, Transcript, Word, written

steps = st.lists(st.floats(0.01, 90).map(lambda s: round(s, 2)), min_size=1, max_size=40)


def spans(lengths: list[float]) -> tuple[float, list[Span]]:
    """A recording in which silence and speech take turns, the silence first."""
    at, speech = 0.0, []
    for number, length in enumerate(lengths):
        if number % 2:
            speech.append(Span(at, at + length))
        at += length
    return at, speech


@given(steps, st.floats(1, 200), st.floats(0.1, 2))
def test_parts_cover_everything_once_and_cut_no_speech(
    lengths: list[float], longest_s: float, silence_s: float
) -> None:
    duration_s, speech = spans(lengths)
    parts = plan_parts(duration_s, speech, longest_s, silence_s)
    assert (parts[0].start_s, parts[-1].end_s) == (0.0, duration_s)
    for before, after in itertools.pairwise(parts):
        assert before.end_s == after.start_s
        assert not [s for s in speech if s.start_s < after.start_s < s.end_s]
    for part in parts:
        assert part.seconds > 0
        if part.seconds > longest_s:  # then there was no silence to cut it in
            inner = [s for s in speech if s.start_s < part.end_s and s.end_s > part.start_s]
            ends = [part.start_s, *(s.end_s for s in inner)]
            starts = [*(s.start_s for s in inner), part.end_s]
            gaps = list(zip(ends, starts, strict=True))[1:-1]
            assert not [1 for end, start in gaps if start - end >= silence_s]


@given(steps, st.floats(1, 200))
def test_what_was_heard_in_parts_is_joined_as_if_heard_at_once(
    lengths: list[float], longest_s: float
) -> None:
    duration_s, speech = spans(lengths)
    said = [
        Segment(
            start_s=s.start_s,
            end_s=s.end_s,
            text=f"слово-{number}",
            words=(Word(start_s=s.start_s, end_s=s.end_s, text="с", probability=1),),
        )
        for number, s in enumerate(speech)
    ]
    parts = plan_parts(duration_s, speech, longest_s)
    heard = [
        (part, [s.moved(-part.start_s) for s in said if part.start_s <= s.start_s < part.end_s])
        for part in parts
    ]
    found = joined(heard)
    assert [s.text for s in found] == [s.text for s in said]
    for one, other in zip(found, said, strict=True):
        assert one.start_s == pytest.approx(other.start_s)
        assert one.end_s == pytest.approx(other.end_s)
        assert one.words[0].start_s == pytest.approx(other.start_s)


def test_words_past_the_end_stay_within() -> None:
    part = Span(10, 20)
    [found] = joined([(part, [Segment(start_s=9.5, end_s=12, text="да")])])
    assert (found.start_s, found.end_s) == (19.5, 20)


def test_nothing_has_no_parts() -> None:
    assert plan_parts(0, []) == []
    assert plan_parts(5, []) == [Span(0, 5)]


@given(st.floats(0.01, 14_400), st.floats(1, 200))
def test_a_long_silence_is_cut_too(duration_s: float, longest_s: float) -> None:
    parts = plan_parts(duration_s, [], longest_s)
    assert max(part.seconds for part in parts) <= longest_s
    assert sum(part.seconds for part in parts) == pytest.approx(duration_s)


def test_speakers_take_turns() -> None:
    we = [Segment(start_s=0, end_s=2, text="Алло"), Segment(start_s=5, end_s=6, text="Да")]
    they = [Segment(start_s=2, end_s=4, text="Здравствуйте")]
    turns = by_speaker([we, they], ["менеджер", "клиент"])
    assert [(s.speaker, s.text) for s in turns] == [
        ("менеджер", "Алло"),
        ("клиент", "Здравствуйте"),
        ("менеджер", "Да"),
    ]


SAID = Transcript(
    language="ru",
    language_probability=0.99,
    duration_s=3725.5,
    model="base",
    segments=(
        Segment(start_s=0, end_s=1.5, text=" Привет\n\nмир"),
        Segment(
            start_s=3661.25,
            end_s=3662,
            text=" a --> b <i> & c",
            speaker="клиент",
            words=(Word(start_s=3661.25, end_s=3662, text=" a", probability=0.5),),
        ),
    ),
)


def test_formats() -> None:
    assert written(SAID, "json") == {"text": SAID.text}
    assert written(SAID, "text") == f"{SAID.text}\n"
    assert written(SAID, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nПривет мир\n\n"
        "2\n01:01:01,250 --> 01:01:02,000\nклиент: a → b <i> & c\n"
    )
    assert written(SAID, "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nПривет мир\n\n"
        "01:01:01.250 --> 01:01:02.000\nклиент: a → b &lt;i&gt; &amp; c\n"
    )
    verbose = written(SAID, "verbose_json", words=True)
    assert isinstance(verbose, dict)
    assert (verbose["language"], verbose["duration"], verbose["task"]) == (
        "ru",
        3725.5,
        "transcribe",
    )
    assert [s["start"] for s in verbose["segments"]] == [0, 3661.25]
    assert verbose["words"] == [{"word": " a", "start": 3661.25, "end": 3662.0, "probability": 0.5}]


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e3), st.text()), max_size=5))
def test_subtitles_have_a_cue_for_each_segment(said: list[tuple[float, float, str]]) -> None:
    segments = tuple(
        Segment(start_s=start, end_s=start + length, text=text) for start, length, text in said
    )
    transcript = SAID.model_copy(update={"segments": segments})
    for form in ("srt", "vtt"):
        text = written(transcript, form)
        assert isinstance(text, str)
        assert len(re.findall(r"^[\d:]+[.,]\d{3} --> [\d:]+[.,]\d{3}$", text, re.M)) == len(said)
    assert all(written(transcript, form) is not None for form in FORMATS)
