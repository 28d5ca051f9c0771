"""Which lines of two engines are the same place of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from lib.domain.documents.pages import Line, Reading, in_order
from lib.domain.documents.scripts import folded

# Engines draw boxes tighter or wider, and cut rows at other places.
SURE_BESIDE, SURE_ABOVE, TALLER_AT_MOST = 0.5, 0.4, 3.0
# With boxes that hardly touch, as of a page that is not level, the text must speak for it.
MAYBE_BESIDE, MAYBE_ABOVE, SIMILAR_FROM = 0.2, 0.2, 0.75
COMPARED_CHARS = 200

Group = Mapping[str, tuple[Line, ...]]
"""Lines of one place, by engine; an engine that has read nothing there is absent."""


def grouped(readings: Sequence[Reading]) -> list[Group]:
    """All lines of all engines, each in one group, with those of other engines in its place.

    Args:
        readings: at most one of each engine, in any order.
    """
    lines = [(reading.engine, line) for reading in readings for line in in_order(reading.lines)]
    lines.sort(key=lambda one: (one[1].box.top, one[0]))
    leaders = list(range(len(lines)))

    def leader(number: int) -> int:
        while leaders[number] != number:
            leaders[number] = leaders[leaders[number]]
            number = leaders[number]
        return number

    for number, (engine, line) in enumerate(lines):
        for later in range(number + 1, len(lines)):
            other_engine, other = lines[later]
            if other.box.top > line.box.bottom:
                break
            if other_engine != engine and is_same_place(line, other):
                leaders[leader(later)] = leader(number)
    groups: dict[int, dict[str, list[Line]]] = {}
    for number, (engine, line) in enumerate(lines):
        groups.setdefault(leader(number), {}).setdefault(engine, []).append(line)
    return [
        {engine: tuple(in_order(found)) for engine, found in sorted(group.items())}
        for group in groups.values()
    ]


def is_same_place(one: Line, other: Line) -> bool:
    """Whether two lines of different engines are, at least in part, of the same writing."""
    beside, above = one.box.beside(other.box), one.box.above(other.box)
    lower, taller = sorted((one.box.height, other.box.height))
    narrower = min(one.box.width, other.box.width)
    if not (beside and above):
        return False
    if (
        beside >= SURE_BESIDE * lower
        and above >= SURE_ABOVE * narrower
        and taller <= TALLER_AT_MOST * lower
    ):
        return True
    return (
        beside >= MAYBE_BESIDE * lower
        and above >= MAYBE_ABOVE * narrower
        and similarity(one.text, other.text) >= SIMILAR_FROM
    )


def similarity(one: str, other: str) -> float:
    """How like two texts are, 0 to 1, whatever script their letters are of."""
    first, second = sorted(folded(text[:COMPARED_CHARS]).replace(" ", "") for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()
