"""A transcript out of a provider's JSON: OpenAI's ``verbose_json``, or whatever of it is there.

Source: platform.openai.com/docs/api-reference/audio/verbose-json-object,
console.groq.com/docs/speech-to-text, read 2026-11-26; our own service's answer has ``confidence``,
``speaker`` and ``probability`` besides.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from lib.domain.languages import language_code
from lib.domain.transcripts import Segment, Transcript, Word
from lib.errors import Unavailable

LONGEST_S = 1_000_000.0  # eleven days; above it is no time


def transcript_from(answer: Mapping[str, Any], model: str, asked: str | None) -> Transcript:
    """The transcript of a provider's answer.

    Args:
        answer: its JSON; times that are none, and what is no text, are left out.
        model: who listened.
        asked: the language that was asked for, ISO 639-1; None: none was.

    Raises:
        Unavailable: it is no transcript: there is no text in it.
    """
    text = answer.get("text")
    if not isinstance(text, str):
        raise Unavailable("the provider's answer has no text")
    found = [segment for each in _objects(answer.get("segments")) if (segment := _segment(each))]
    found.sort(key=lambda segment: (segment.start_s, segment.end_s))
    told_s = _seconds(answer.get("duration")) or 0.0
    duration_s = max([told_s, *(segment.end_s for segment in found)])
    if not any(segment.text for segment in found) and text.strip():
        found = [Segment(start_s=0.0, end_s=duration_s, text=text.strip())]
    named = answer.get("language")
    language = (language_code(named) if isinstance(named, str) else None) or asked
    return Transcript(
        language=language or "",
        language_probability=1.0 if language else 0.0,
        duration_s=duration_s,
        segments=_with_words(found, answer.get("words")),
        model=model,
    )


def _segment(said: Mapping[str, Any]) -> Segment | None:
    """A segment; None when it has no text or no times."""
    text, times, speaker = said.get("text"), _times(said), said.get("speaker")
    if not isinstance(text, str) or times is None:
        return None
    return Segment(
        start_s=times[0],
        end_s=times[1],
        text=text.strip(),
        confidence=_confidence(said),
        no_speech=_share(said.get("no_speech_prob"), 0.0),
        speaker=speaker if isinstance(speaker, str) and speaker else None,
    )


def _with_words(segments: list[Segment], said: object) -> tuple[Segment, ...]:
    """Segments with their words: each goes to the one that has begun at its middle."""
    words = sorted(
        (word for each in _objects(said) if (word := _word(each))),
        key=lambda word: (word.start_s, word.end_s),
    )
    if not segments or not words:
        return tuple(segments)
    starts = [segment.start_s for segment in segments]
    by_segment: list[list[Word]] = [[] for _ in segments]
    for word in words:
        middle_s = (word.start_s + word.end_s) / 2
        by_segment[max(bisect_right(starts, middle_s) - 1, 0)].append(word)
    return tuple(
        segment.model_copy(update={"words": tuple(own)})
        for segment, own in zip(segments, by_segment, strict=True)
    )


def _word(said: Mapping[str, Any]) -> Word | None:
    text, times = said.get("word"), _times(said)
    if not isinstance(text, str) or not text.strip() or times is None:
        return None
    sure = _share(said.get("probability"), 1.0)
    return Word(start_s=times[0], end_s=times[1], text=text, probability=sure)


def _times(said: Mapping[str, Any]) -> tuple[float, float] | None:
    start_s, end_s = _seconds(said.get("start")), _seconds(said.get("end"))
    return None if start_s is None or end_s is None or end_s < start_s else (start_s, end_s)


def _confidence(said: Mapping[str, Any]) -> float:
    """The mean probability of a segment's tokens; 1 where nobody says it."""
    logprob = _number(said.get("avg_logprob"))
    if logprob is None:
        return _share(said.get("confidence"), 1.0)
    return math.exp(min(logprob, 0.0))


def _share(said: object, otherwise: float) -> float:
    found = _number(said)
    return otherwise if found is None else min(max(found, 0.0), 1.0)


def _seconds(said: object) -> float | None:
    found = _number(said)
    return found if found is not None and 0 <= found <= LONGEST_S else None


def _number(said: object) -> float | None:
    """A number, also one in a text, as OpenAI's ``duration`` once was; None: it is none."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        found = float(said)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _objects(said: object) -> list[Mapping[str, Any]]:
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
