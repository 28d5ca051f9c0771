"""Rows of running text as headings and paragraphs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from lib.domain.documents.pages import Box, Line, Part, around

HEADING_FROM, TITLE_FROM, HEADING_CHARS = 1.4, 1.8, 120
# In heights of a line.
APART = 1.0  # a gap above its usual one begins a paragraph
INDENTED = 0.8
SPARE = 1.3  # a line is broken on purpose when the next word would have had so many of its widths
WIDER_FROM = 1.2  # letters of a heading are wider, too: height alone tells capitals from small ones
# An item of a list, or a label with what it names: «Покупатель: …».
_BEGINS = re.compile(r"(?:[-–—•●▪*]|[0-9]{1,2}[.)]|[а-яa-z]\)|[A-ZА-ЯЁ][^.:!?]{1,30}:)\s")
_LETTER_BREAK = re.compile(r"[^\W\d_]-$")


class Heading(Part):
    """A line of larger letters; ``level``: 1 or 2."""

    box: Box
    text: str
    level: int


class Paragraph(Part):
    """Text that belongs together; ``lines``: what was broken on purpose, each a line of its own."""

    box: Box
    lines: tuple[str, ...]


class Table(Part):
    """Cells by row and column, as many in each row; "" where there is none."""

    box: Box
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Table


class Usual(NamedTuple):
    """What most of a page's writing is like, px: the height of a line, the width of a letter."""

    height: float
    letter: float


def paragraphs_of(rows: Sequence[Sequence[Line]], usual: Usual) -> list[Block]:
    """What rows of one column say, each given from left to right; ``usual``: of the page."""
    if not rows:
        return []
    whole = [_Row(row) for row in rows]
    left = min(row.box.left for row in whole)
    right = max(row.box.right for row in whole)
    gap = _usual_gap(whole)
    blocks: list[Block] = []
    waiting: list[_Row] = []
    for row in whole:
        if row.is_heading(usual):
            blocks += _paragraph(waiting, right)
            waiting = []
            level = 1 if row.box.height >= TITLE_FROM * usual.height else 2
            blocks.append(Heading(box=row.box, text=row.text, level=level))
            continue
        if waiting and _begins(waiting[-1], row, left, gap, usual.height):
            blocks += _paragraph(waiting, right)
            waiting = []
        waiting.append(row)
    return blocks + _paragraph(waiting, right)


class _Row:
    def __init__(self, lines: Sequence[Line]) -> None:
        self.box = around(line.box for line in lines)
        self.text = " ".join(line.text for line in lines)

    @property
    def letter(self) -> float:
        return self.box.width / max(1, len(self.text))

    @property
    def first_word_px(self) -> float:
        return self.letter * (len(self.text.split(" ", 1)[0]) + 1)

    def is_heading(self, usual: Usual) -> bool:
        has_letters = any(char.isalpha() for char in self.text)
        return (
            has_letters
            and len(self.text) <= HEADING_CHARS
            and self.box.height >= HEADING_FROM * usual.height
            and self.letter >= WIDER_FROM * usual.letter
        )


def _usual_gap(rows: Sequence[_Row]) -> float:
    gaps = sorted(
        max(0.0, below.box.top - above.box.bottom) for above, below in itertools.pairwise(rows)
    )
    return gaps[len(gaps) // 3] if gaps else 0.0


def _begins(above: _Row, row: _Row, left: float, gap: float, usual: float) -> bool:
    """Whether a row begins a paragraph of its own."""
    if row.box.top - above.box.bottom > gap + APART * usual:
        return True
    is_indented = row.box.left - left > INDENTED * usual
    return is_indented and above.box.left - left <= INDENTED * usual


def _paragraph(rows: Sequence[_Row], right: float) -> list[Block]:
    if not rows:
        return []
    lines = [rows[0].text]
    for above, row in itertools.pairwise(rows):
        if right - above.box.right > SPARE * row.first_word_px or _BEGINS.match(row.text):
            lines.append(row.text)
        elif _LETTER_BREAK.search(lines[-1]) and row.text[:1].islower():
            lines[-1] = lines[-1][:-1] + row.text
        else:
            lines[-1] += " " + row.text
    return [Paragraph(box=around(row.box for row in rows), lines=tuple(lines))]
