"""The rows of pages as one text, and the places on the pages where each piece of it stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lib.domain.documents.pages import Box, Line, around, rows_of

# No number, phone or sum goes on over it: what stands in two cells is never one number.
CELL, ROW = "\n", "\n\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """A line in the text of its pages.

    Attributes:
        start: where it begins there; ``end``: behind it.
        page: the number of its page; ``number``: its own among the lines of that page, from 0.
    """

    start: int
    end: int
    page: int
    number: int
    line: Line


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece of text stands; ``confidence``: of its least sure word or line."""

    page: int
    box: Box
    confidence: float


class Rows:
    """The text of pages, row by row from left to right, and what of it stands where.

    Args:
        pages: the number of each, and its lines in any order.
    """

    def __init__(self, pages: Sequence[tuple[int, Sequence[Line]]]) -> None:
        self.pieces: list[Piece] = []
        text = ""
        for page, lines in pages:
            numbers = {id(line): number for number, line in enumerate(lines)}
            for row in rows_of(lines):
                for line in row:
                    end = len(text) + len(line.text)
                    self.pieces.append(Piece(len(text), end, page, numbers[id(line)], line))
                    text += line.text + CELL
                text = text.removesuffix(CELL) + ROW
        self.text = text
        self._starts = [piece.start for piece in self.pieces]

    def pieces_of(self, start: int, end: int) -> Iterator[tuple[Piece, int, int]]:
        """The lines that a span of the text lies on, and its ends in the text of each."""
        first = max(0, bisect_right(self._starts, start) - 1)
        for piece in self.pieces[first : bisect_right(self._starts, max(start, end - 1))]:
            begins, ends = max(start, piece.start), min(end, piece.end)
            if begins < ends:
                yield piece, begins - piece.start, ends - piece.start

    def place(self, start: int, end: int) -> Place:
        """Where a span stands: around its part of the line that it begins on, and of others."""
        parts = list(self.pieces_of(start, end))
        page = parts[0][0].page
        boxes, sure = zip(
            *(_part(piece.line, *ends) for piece, *ends in parts if piece.page == page),
            strict=True,
        )
        return Place(page, around(boxes), min(sure))

    def row_end(self, at: int) -> int:
        """Where the row ends in which a place of the text is."""
        found = self.text.find(ROW, at)
        return len(self.text) if found < 0 else found

    def row_start(self, at: int) -> int:
        """Where the row begins in which a place of the text is."""
        found = self.text.rfind(ROW, 0, at)
        return 0 if found < 0 else found + len(ROW)


def _part(line: Line, start: int, end: int) -> tuple[Box, float]:
    """The box and the confidence of a part of a line: its words', or as wide as its letters are."""
    if " ".join(word.text for word in line.words) == line.text:
        found, at = [], 0
        for word in line.words:
            if at < end and at + len(word.text) > start:
                found.append(word)
            at += len(word.text) + 1
        if found:
            return around(word.box for word in found), min(word.confidence for word in found)
    letter = line.box.width / max(1, len(line.text))
    left = min(line.box.left + start * letter, line.box.right)
    right = min(max(left, line.box.left + end * letter), line.box.right)
    return line.box.model_copy(update={"left": left, "right": right}), line.confidence
