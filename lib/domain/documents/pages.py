"""What engines read on a page, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.domain.strict import strict


class Part(BaseModel):
    """Something that is not changed, of finite numbers."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, json_schema_extra=strict)


class Box(Part):
    """An upright rectangle: px, origin top left."""

    left: float
    top: float
    right: float
    bottom: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.left > self.right or self.top > self.bottom:
            raise ValueError("a box must begin before it ends")
        return self

    @property
    def width(self) -> float:
        """Px."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Px."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle: x, y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def beside(self, other: Box) -> float:
        """How much of the height both share: px, 0 when one is above the other."""
        return max(0.0, min(self.bottom, other.bottom) - max(self.top, other.top))

    def above(self, other: Box) -> float:
        """How much of the width both share: px, 0 when one is beside the other."""
        return max(0.0, min(self.right, other.right) - max(self.left, other.left))

    def scaled(self, by: float) -> Box:
        """The same on a picture of another size."""
        return Box(
            left=self.left * by, top=self.top * by, right=self.right * by, bottom=self.bottom * by
        )


class Word(Part):
    """A word without spaces; ``confidence``: how sure its engine is, 0 to 1."""

    box: Box
    text: str
    confidence: float = Field(ge=0, le=1)


class Line(Part):
    """Words that stand close together in one row.

    Attributes:
        text: in one line, without control characters.
        confidence: how sure its engine is, 0 to 1.
        words: of it, where the engine tells them.
    """

    box: Box
    text: str
    confidence: float = Field(ge=0, le=1)
    words: tuple[Word, ...] = ()


class Reading(Part):
    """What one engine has read on a page."""

    engine: str
    lines: tuple[Line, ...] = ()


class JoinedLine(Line):
    """A line as all engines together read it.

    Attributes:
        raw: what each engine read there, by its name; a line of others is not cut out of theirs.
        is_doubtful: they disagree on a letter or digit, or the only one is not sure.
    """

    raw: Mapping[str, str] = {}
    is_doubtful: bool = False


class Page(Part):
    """A page as it is read.

    Attributes:
        number: from 1.
        width_px: of the picture that was read, upright and straight; boxes lie on it.
        turned_deg: how far the picture was turned clockwise before: 0, 90, 180 or 270.
        skew_deg: how far it was turned clockwise besides, to make its lines level.
        engines: who has read it.
        missing: why others have not, by their names.
        lines: in no order that means anything.
    """

    number: int
    width_px: int
    height_px: int
    turned_deg: int = 0
    skew_deg: float = 0.0
    engines: tuple[str, ...] = ()
    missing: Mapping[str, str] = {}
    lines: tuple[JoinedLine, ...] = ()


L = TypeVar("L", bound=Line)
HALF = 0.5


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box around others; there must be one."""
    all_of = list(boxes)
    return Box(
        left=min(box.left for box in all_of),
        top=min(box.top for box in all_of),
        right=max(box.right for box in all_of),
        bottom=max(box.bottom for box in all_of),
    )


def in_order(lines: Sequence[L]) -> list[L]:
    """The same lines in an order that does not depend on how they came."""
    return sorted(
        lines,
        key=lambda line: (
            *(line.box.top, line.box.left, line.box.bottom, line.box.right),
            *(line.text, line.confidence),
        ),
    )


def rows_of(lines: Sequence[L]) -> list[list[L]]:
    """Lines that stand side by side, left to right; the rows from top to bottom."""
    rows: list[list[L]] = []
    for line in sorted(in_order(lines), key=lambda one: one.box.centre[1]):
        first = rows[-1][0].box if rows else line.box
        if rows and first.beside(line.box) >= HALF * min(first.height, line.box.height):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda one: one.box.left) for row in rows]
