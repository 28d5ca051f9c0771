"""Tesseract's TSV as lines of a page.

Source: tesseract(1) 5.3.0 and its TSV renderer, read 2026-11-26.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lib.domain.documents.pages import Box, Line, Word, around
from lib.domain.lines import one_line

WORD_LEVEL = "5"
COLUMNS = 12
CUT_FROM = 1.0  # heights of a line: words further apart are of different cells or columns
LONGEST_WORD = 500


def lines_from(tsv: str) -> list[Line]:
    """The lines in it, cut where words stand far apart; a row that cannot be read is left out."""
    rows: dict[tuple[str, ...], list[Word]] = {}
    for row in tsv.split("\n"):
        cells = row.rstrip("\r").split("\t")
        if len(cells) == COLUMNS and cells[0] == WORD_LEVEL and (word := _word(cells)):
            rows.setdefault(tuple(cells[1:5]), []).append(word)
    return [_line(words) for row in rows.values() for words in _cut(row)]


def _word(cells: Sequence[str]) -> Word | None:
    text = one_line(cells[11], LONGEST_WORD).replace(" ", "")
    try:
        left, top, width, height = (int(cell) for cell in cells[6:10])
        sure = float(cells[10])
    except ValueError:
        return None
    if not text or width < 0 or height < 0 or not math.isfinite(sure):
        return None
    box = Box(left=left, top=top, right=left + width, bottom=top + height)
    return Word(box=box, text=text, confidence=min(1.0, max(0.0, sure / 100)))


def _cut(words: Sequence[Word]) -> Iterator[list[Word]]:
    most = CUT_FROM * around(word.box for word in words).height
    piece: list[Word] = []
    for word in words:
        if piece and word.box.left - piece[-1].box.right > most:
            yield piece
            piece = []
        piece.append(word)
    yield piece


def _line(words: Sequence[Word]) -> Line:
    return Line(
        box=around(word.box for word in words),
        text=" ".join(word.text for word in words),
        confidence=sum(word.confidence for word in words) / len(words),
        words=tuple(words),
    )
