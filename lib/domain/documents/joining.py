"""One page out of what several engines read on it."""

from __future__ import annotations

from collections.abc import Sequence

from lib.domain.documents.aligning import grouped
from lib.domain.documents.pages import JoinedLine, Reading, in_order
from lib.domain.documents.scripts import has_cyrillic, knows_cyrillic
from lib.domain.documents.voting import voted


def joined(readings: Sequence[Reading]) -> tuple[JoinedLine, ...]:
    """The lines of a page, each once, whatever the order of readings and of their lines.

    Args:
        readings: of one engine or two, each once.

    Raises:
        ValueError: one engine twice, or more than two.
    """
    engines = [reading.engine for reading in readings]
    if len(set(engines)) != len(engines) or len(engines) > 2:
        raise ValueError("a page is joined of one reading or of two engines'")
    blind = blind_in(readings)
    lines = [line for group in grouped(readings) for line in voted(group, blind)]
    return tuple(in_order(lines))


def blind_in(readings: Sequence[Reading]) -> frozenset[str]:
    """The engines that have no Cyrillic: they show none of it on a page where another does."""
    texts = {reading.engine: [line.text for line in reading.lines] for reading in readings}
    if not any(knows_cyrillic(found) for found in texts.values()):
        return frozenset()
    return frozenset(
        engine for engine, found in texts.items() if not any(has_cyrillic(text) for text in found)
    )
