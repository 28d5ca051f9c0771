"""Cutting a long recording at silences, and joining what was heard in its parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lib.domain.transcripts import Segment

LONGEST_S = 120.0
SILENCE_S = 0.3  # a shorter one may be within a word


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start_s`` to ``end_s``, seconds of the recording."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s


def plan_parts(
    duration_s: float,
    speech: Sequence[Span],
    longest_s: float = LONGEST_S,
    silence_s: float = SILENCE_S,
) -> list[Span]:
    """Parts that cover a recording from start to end, in order, cut in the midst of silences.

    Args:
        duration_s: of the recording.
        speech: where somebody speaks, in order, without overlaps.
        longest_s: a part is no longer, unless there is no silence to cut it in.
        silence_s: the shortest silence that may be cut.

    Returns:
        At least one part; [] of an empty recording.
    """
    if duration_s <= 0:
        return []
    found = _cuts(duration_s, speech, longest_s, silence_s)
    cuts = [cut for cut in found if 0 < cut < duration_s]
    parts, start_s, last_s = [], 0.0, 0.0
    for cut_s in [*cuts, duration_s]:
        if cut_s - start_s > longest_s and last_s > start_s:
            parts.append(Span(start_s, last_s))
            start_s = last_s
        last_s = cut_s
    return [*parts, Span(start_s, duration_s)]


def joined(parts: Iterable[tuple[Span, Sequence[Segment]]]) -> tuple[Segment, ...]:
    """The segments of all parts by the recording's clock, in order, each word once.

    Args:
        parts: each part with what was heard in it, by its own clock. A model that hears words
            past the end of what it was given is taken at its word, up to that end.
    """
    found: list[Segment] = []
    for span, segments in parts:
        for segment in segments:
            within = segment.model_copy(
                update={
                    "start_s": min(max(segment.start_s, 0.0), span.seconds),
                    "end_s": min(max(segment.end_s, 0.0), span.seconds),
                }
            )
            found.append(within.moved(span.start_s))
    return tuple(found)


def by_speaker(channels: Sequence[Sequence[Segment]], names: Sequence[str]) -> tuple[Segment, ...]:
    """The segments of a recording with a channel for each speaker, as they took turns."""
    named = [
        segment.model_copy(update={"speaker": name})
        for name, segments in zip(names, channels, strict=True)
        for segment in segments
    ]
    return tuple(sorted(named, key=lambda segment: (segment.start_s, segment.end_s)))


def _cuts(
    duration_s: float, speech: Sequence[Span], longest_s: float, silence_s: float
) -> Iterable[float]:
    """The midst of every silence; of a long one as many places as keep a part within bounds."""
    ends = [0.0, *(span.end_s for span in speech)]
    starts = [*(span.start_s for span in speech), duration_s]
    for end_s, start_s in zip(ends, starts, strict=True):
        silent_s = start_s - end_s
        if silent_s >= silence_s:
            pieces = math.ceil(silent_s / longest_s) + 1
            yield from (end_s + silent_s * number / pieces for number in range(1, pieces))
