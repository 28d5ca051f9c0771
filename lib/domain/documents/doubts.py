"""Which words of a joined page are doubtful: engines read them differently, or are not sure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from lib.domain.documents.joining import blind_in
from lib.domain.documents.pages import JoinedLine, Line, Part, Reading, rows_of
from lib.domain.documents.scripts import folded
from lib.domain.documents.voting import DOUBTFUL_BELOW

_WORD = re.compile(r"\S+")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_MEANS = re.compile(r"[^\W_]")


class Doubt(Part):
    """Some words of a line that may be misread.

    Attributes:
        id: from 1, one of a kind on its page.
        line: its number among the lines of the page, from 0.
        start: where it begins in the text of the line; ``end``: behind it.
        text: what stands there now.
        readings: what the engines have read there, that text among them, each once.
    """

    id: int
    line: int
    start: int
    end: int
    text: str
    readings: tuple[str, ...]


def doubts_on(lines: Sequence[JoinedLine]) -> list[Doubt]:
    """All of a page, in the order of its lines; whatever else stands there is certain."""
    blind = _blind(lines)
    numbers = {id(line): number for number, line in enumerate(lines)}
    spans: dict[int, Mapping[tuple[int, int], tuple[str, ...]]] = {}
    for row in rows_of(lines):
        for group in _places(row):
            for line, found in zip(group, _of_place(group, blind), strict=True):
                spans[numbers[id(line)]] = found
    ids = itertools.count(1)
    return [
        Doubt(
            id=next(ids),
            line=number,
            start=start,
            end=end,
            text=lines[number].text[start:end],
            readings=tuple(dict.fromkeys((lines[number].text[start:end], *readings))),
        )
        for number in sorted(spans)
        for (start, end), readings in spans[number].items()
    ]


def _blind(lines: Sequence[JoinedLine]) -> frozenset[str]:
    """The engines without Cyrillic, by what each has read on the page."""
    read: dict[str, list[Line]] = {}
    for line in lines:
        for engine, text in line.raw.items():
            read.setdefault(engine, []).append(
                Line(box=line.box, text=text, confidence=line.confidence)
            )
    return blind_in([Reading(engine=engine, lines=tuple(found)) for engine, found in read.items()])


def _places(row: Sequence[JoinedLine]) -> Iterator[list[JoinedLine]]:
    """Lines of one place: what an engine read there is not cut as they are."""
    for _, group in itertools.groupby(row, key=lambda line: sorted(line.raw.items())):
        lines = list(group)
        if all(text == line.text for line in lines for text in line.raw.values()):
            yield from ([line] for line in lines)
        else:
            yield lines


def _of_place(
    group: Sequence[JoinedLine], blind: frozenset[str]
) -> list[dict[tuple[int, int], tuple[str, ...]]]:
    """For each line the ends of its doubtful words, and what engines read there."""
    words = [(number, match) for number, line in enumerate(group) for match in _words(line)]
    texts = [match.group() for _, match in words]
    bounds = {place for place in range(1, len(words)) if words[place - 1][0] != words[place][0]}
    read = [
        _read_at(texts, raw.split(), engine in blind) for engine, raw in group[0].raw.items() if raw
    ]
    unsure = {
        place for place, (number, word) in enumerate(words) if _is_unsure(group[number], word)
    }
    doubtful = {place for at, _, places in read for place in places} | unsure
    joints = {place for _, joined, _ in read for place in joined} - bounds
    found: list[dict[tuple[int, int], tuple[str, ...]]] = [{} for _ in group]
    for first, last in _runs(len(words), joints):
        if doubtful.isdisjoint(range(first, last)):
            continue
        number = words[first][0]
        ends = words[first][1].start(), words[last - 1][1].end()
        if _MEANS.search(group[number].text[slice(*ends)]):
            readings = (" ".join(filter(None, at[first:last])) for at, _, _ in read)
            found[number][ends] = tuple(filter(None, readings))
    for number, line in enumerate(group):
        if line.is_doubtful and not any(found) and (whole := _whole(line)):
            found[number][whole] = (line.text[slice(*whole)],)
    return found


def _words(line: JoinedLine) -> Iterator[re.Match[str]]:
    return _WORD.finditer(line.text)


def _whole(line: JoinedLine) -> tuple[int, int] | None:
    stripped = line.text.strip()
    start = line.text.find(stripped)
    return (start, start + len(stripped)) if _MEANS.search(stripped) else None


def _is_unsure(line: JoinedLine, word: re.Match[str]) -> bool:
    """Whether the only engine that tells of single words is not sure of one."""
    if " ".join(each.text for each in line.words) != line.text:
        return False
    number = line.text.count(" ", 0, word.start())
    return line.words[number].confidence < DOUBTFUL_BELOW


def _read_at(
    ours: Sequence[str], theirs: Sequence[str], is_blind: bool
) -> tuple[list[str], set[int], set[int]]:
    """What an engine read at each of our words, words that belong together, and doubtful ones."""
    at = [""] * len(ours)
    joints: set[int] = set()
    doubtful: set[int] = set()
    matcher = SequenceMatcher(None, list(map(folded, ours)), list(map(folded, theirs)), False)
    for _, first, last, from_theirs, to_theirs in matcher.get_opcodes():
        if last - first == to_theirs - from_theirs:
            at[first:last] = theirs[from_theirs:to_theirs]
            doubtful |= {
                place
                for place in range(first, last)
                if not _agree(ours[place], at[place], is_blind)
            }
        elif first < last:
            at[first] = " ".join(theirs[from_theirs:to_theirs])
            joints |= set(range(first + 1, last))
            if not _agree("".join(ours[first:last]), at[first].replace(" ", ""), is_blind):
                doubtful |= set(range(first, last))
    return at, joints, doubtful


def _agree(one: str, other: str, is_blind: bool) -> bool:
    """Whether two readings say the same; of an engine without Cyrillic only digits count."""
    first, second = (_EDGES.sub("", text).replace(",", ".") for text in (one, other))
    if is_blind:
        first, second = (re.sub(r"[^0-9]", "", text) for text in (first, second))
    return first == second


def _runs(count: int, joints: set[int]) -> Iterator[tuple[int, int]]:
    """Words from first to last, those together that belong together."""
    first = 0
    for place in range(1, count + 1):
        if place == count or place not in joints:
            yield first, place
            first = place
