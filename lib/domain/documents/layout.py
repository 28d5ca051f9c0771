"""The order in which a page is read: columns, tables, headings, paragraphs."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from lib.domain.documents.pages import Line, around, rows_of
from lib.domain.documents.paragraphs import Block, Heading, Paragraph, Table, Usual, paragraphs_of

# In heights of a line.
GUTTER = 0.8  # a gap that parts columns
ROWS_APART = 2.5  # rows with as much between them are not of one table
HANGS_BELOW = 1.0  # a row with one cell alone is still of its table when it is so near
WRAPPED = 0.6  # and the cell above goes on in it when it is nearer still
PROSE_CHARS, PROSE_FILL, PROSE_ROWS, PROSE_COLUMNS = 16, 0.6, 3, 3

__all__ = ["Block", "Heading", "Paragraph", "Table", "laid_out"]

Row = list[Line]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Band:
    """Rows that follow each other; with ``columns`` all of them stand in these."""

    rows: list[Row]
    columns: tuple[Span, ...] = ()


def laid_out(lines: Sequence[Line]) -> list[Block]:
    """The blocks of a page as a person reads them; every line is in one of them."""
    if not lines:
        return []
    return _blocks(lines, _usual(lines))


def _usual(lines: Sequence[Line]) -> Usual:
    """Of most of the writing: a long line counts for more than a short one."""
    letters = [len(line.text) for line in lines]
    heights = [line.box.height for line in lines]
    widths = [line.box.width / max(1, len(line.text)) for line in lines]
    return Usual(max(1.0, _middle(heights, letters)), _middle(widths, letters))


def _middle(values: Sequence[float], weights: Sequence[int]) -> float:
    """The weighted median."""
    half, seen = sum(weights) / 2, 0
    for value, weight in sorted(zip(values, weights, strict=True)):
        seen += weight
        if seen >= half:
            return value
    return 0.0


def _blocks(lines: Sequence[Line], usual: Usual) -> list[Block]:
    blocks: list[Block] = []
    flowing: list[Row] = []
    for band in _with_prose_together(_bands(rows_of(lines), usual.height)):
        if band.columns and _is_prose(band):
            blocks += paragraphs_of(flowing, usual)
            flowing = []
            for column in band.columns:
                blocks += _blocks(_in_column(band, column), usual)
        elif band.columns and _is_table(band):
            blocks += [*paragraphs_of(flowing, usual), _table(band, usual.height)]
            flowing = []
        else:
            flowing += band.rows
    return blocks + paragraphs_of(flowing, usual)


def _bands(rows: Sequence[Row], usual: float) -> list[_Band]:
    bands: list[_Band] = []
    for row in rows:
        if bands and (grown := _grown(bands[-1], row, usual)):
            bands[-1] = grown
        else:
            columns = _columns([row], usual)
            bands.append(_Band([row], columns if len(columns) > 1 else ()))
    return bands


def _grown(band: _Band, row: Row, usual: float) -> _Band | None:
    """The band with one more row; None when the row does not stand in its columns."""
    if not band.columns:
        return None
    gap = _top(row) - max(_bottom(each) for each in band.rows)
    is_alone = len(row) == 1
    if gap > (HANGS_BELOW if is_alone and not _is_prose(band) else ROWS_APART) * usual:
        return None
    columns = _columns([*band.rows, row], usual)
    if len(columns) < 2 or (is_alone and len(columns) < len(band.columns)):
        return None
    if len(columns) * 2 < len(band.columns):
        return None
    return _Band([*band.rows, row], columns)


def _columns(rows: Sequence[Row], usual: float) -> tuple[Span, ...]:
    """Where something stands in any row; between them a gap that no row bridges."""
    spans: list[Span] = []
    for left, right in sorted((line.box.left, line.box.right) for row in rows for line in row):
        if spans and left - spans[-1][1] < GUTTER * usual:
            spans[-1] = spans[-1][0], max(spans[-1][1], right)
        else:
            spans.append((left, right))
    return tuple(spans)


def _with_prose_together(bands: Sequence[_Band]) -> list[_Band]:
    """Columns of text that a gap cuts in two are one: the first goes on below its gap."""
    found: list[_Band] = []
    for band in bands:
        last = found[-1] if found else None
        if last and len(last.columns) == len(band.columns) > 1:
            columns = tuple(
                (min(one[0], other[0]), max(one[1], other[1]))
                for one, other in zip(last.columns, band.columns, strict=True)
            )
            both = _Band([*last.rows, *band.rows], columns)
            apart = all(one[1] < other[0] for one, other in itertools.pairwise(columns))
            if apart and _is_prose(last) and _is_prose(both):
                found[-1] = both
                continue
        found.append(band)
    return found


def _is_prose(band: _Band) -> bool:
    """Whether its columns are running text, rather than cells of a table."""
    if not 2 <= len(band.columns) <= PROSE_COLUMNS:
        return False
    for column in band.columns:
        lines = _in_column(band, column)
        if len(lines) < PROSE_ROWS:
            return False
        if statistics.median(len(line.text) for line in lines) < PROSE_CHARS:
            return False
        fill = statistics.median(line.box.width for line in lines) / max(1, column[1] - column[0])
        if fill < PROSE_FILL or statistics.median(line.text.count(" ") for line in lines) < 1:
            return False
    return True


def _is_table(band: _Band) -> bool:
    return sum(len({_column_of(line, band) for line in row}) > 1 for row in band.rows) > 1


def _in_column(band: _Band, column: Span) -> list[Line]:
    return [
        line for row in band.rows for line in row if band.columns[_column_of(line, band)] == column
    ]


def _column_of(line: Line, band: _Band) -> int:
    middle = line.box.centre[0]
    return min(
        range(len(band.columns)),
        key=lambda number: max(
            band.columns[number][0] - middle, middle - band.columns[number][1], 0.0
        ),
    )


def _table(band: _Band, usual: float) -> Table:
    rows: list[list[list[Line]]] = []
    bottom = 0.0
    for row in band.rows:
        cells: list[list[Line]] = [[] for _ in band.columns]
        for line in row:
            cells[_column_of(line, band)].append(line)
        if rows and not cells[0] and _top(row) - bottom < WRAPPED * usual:
            for above, cell in zip(rows[-1], cells, strict=True):
                above += cell
        else:
            rows.append(cells)
        bottom = _bottom(row)
    texts = tuple(tuple(" ".join(line.text for line in cell) for cell in row) for row in rows)
    return Table(box=around(line.box for row in band.rows for line in row), rows=texts)


def _top(row: Row) -> float:
    return min(line.box.top for line in row)


def _bottom(row: Row) -> float:
    return max(line.box.bottom for line in row)
