"""Pages as one text in which fields are looked for, and a value of each that is found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lib.domain.documents.cleaning import Cleaned
from lib.domain.documents.dates import dates_in
from lib.domain.documents.doubts import Doubt
from lib.domain.documents.fields import Value
from lib.domain.documents.finds import Found, Kind, found_in
from lib.domain.documents.labels import labels_in
from lib.domain.documents.pages import JoinedLine
from lib.domain.documents.rows import CELL, Rows
from lib.domain.documents.scripts import as_cyrillic
from lib.domain.documents.voting import DOUBTFUL_BELOW
from lib.domain.requisites import is_account, is_inn, is_ogrn

DIGITS_APART = 2
_MEANS = re.compile(r"[^\W_]")


class Sheet:
    """The text of pages, and what stands in it.

    Args:
        pages: cleaned up or not; their open doubts make values doubtful.
    """

    def __init__(self, pages: Sequence[Cleaned]) -> None:
        self.rows = Rows([(each.page.number, each.page.lines) for each in pages])
        self.text = self.rows.text
        self.plain = as_cyrillic(self.text)
        self.found = _all_found(self.text, self.plain)
        self._biks = {each.value for each in self.found if each.kind == "bik"}
        self._doubts: dict[tuple[int, int], list[Doubt]] = {}
        for each in pages:
            for doubt in each.doubts:
                self._doubts.setdefault((each.page.number, doubt.line), []).append(doubt)

    def of(self, kind: Kind, start: int = 0, end: int | None = None) -> list[Found]:
        """What was found of a kind between two places of the text."""
        stop = len(self.text) if end is None else end
        return [each for each in self.found if each.kind == kind and start <= each.start < stop]

    def labels(self, *labels: str) -> list[tuple[int, int]]:
        """Where any of them stands in the text: (start, end)."""
        return labels_in(self.text, labels)

    def after(self, end: int) -> tuple[int, int] | None:
        """What a label names that ends here: the rest of its cell, the next one, or that below."""
        stop = self.rows.row_end(end)
        for start, cell_end in _cells(self.text, end, stop):
            return start, cell_end
        label = self.rows.place(max(0, end - 1), end).box
        for start, cell_end in _cells(self.text, stop, self.rows.row_end(stop + 2)):
            if self.rows.place(start, cell_end).box.above(label):
                return start, cell_end
        return None

    def value(self, found: Found, rivals: bool = False) -> Value:
        """One that was found; ``rivals``: another stands where it might be as well."""
        digits, is_proven = self._proven(found)
        must_prove = found.kind in ("inn", "ogrn") or (found.kind == "account" and self._biks)
        is_exact = found.kind != "date" or bool(list(dates_in(self.text[found.start : found.end])))
        return self.written(
            *(found.start, found.end, digits),
            is_proven=is_proven,
            is_doubtful=rivals or (not is_proven and bool(must_prove)) or not is_exact,
        )

    def written(
        self,
        start: int,
        end: int,
        value: str | None = None,
        is_proven: bool = False,
        is_doubtful: bool = False,
    ) -> Value:
        """What stands between two places, or ``value`` for it."""
        place = self.rows.place(start, end)
        doubted = not is_proven and (place.confidence < DOUBTFUL_BELOW or self._is_open(start, end))
        return Value(
            value=" ".join(self.text[start:end].split()) if value is None else value,
            page=place.page,
            box=place.box,
            confidence=place.confidence,
            is_proven=is_proven,
            is_doubtful=is_doubtful or doubted,
        )

    def _is_open(self, start: int, end: int) -> bool:
        return any(
            doubt.start < to and doubt.end > from_
            for piece, from_, to in self.rows.pieces_of(start, end)
            for doubt in self._doubts.get((piece.page, piece.number), ())
        )

    def _proven(self, found: Found) -> tuple[str, bool]:
        """The digits of what was found; those that another engine read where only they fit."""
        if found.is_proven or found.kind not in ("inn", "ogrn", "account"):
            return found.value, found.is_proven
        for piece, _, _ in self.rows.pieces_of(found.start, found.end):
            raws = piece.line.raw.values() if isinstance(piece.line, JoinedLine) else ()
            for each in (each for raw in raws for each in found_in(raw)):
                if _are_near(each.value, found.value) and self._fits(found.kind, each.value):
                    return each.value, True
        return found.value, False

    def _fits(self, kind: Kind, digits: str) -> bool:
        if kind == "account":
            return any(is_account(digits, bik) for bik in self._biks)
        return is_inn(digits) if kind == "inn" else is_ogrn(digits)


def _all_found(text: str, plain: str) -> list[Found]:
    """And days whose month has letters of the other script."""
    found = found_in(text)
    for start, end, day in dates_in(plain):
        if all(end <= each.start or start >= each.end for each in found):
            found.append(Found("date", start, end, day.isoformat()))
    return sorted(found, key=lambda each: each.start)


def _cells(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The ends of cells that say something, without the marks before and space around them."""
    while start < end:
        stop = text.find(CELL, start, end)
        stop = end if stop < 0 else stop
        said = text[start:stop].lstrip(" \t:.—–-№")
        if _MEANS.search(said):
            begin = stop - len(said)
            yield begin, begin + len(said.rstrip())
        start = stop + 1


def _are_near(one: str, other: str) -> bool:
    return len(one) == len(other) and (
        sum(a != b for a, b in zip(one, other, strict=True)) <= DIGITS_APART
    )
