"""Lines and readings for tests."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from lib.domain.documents.pages import Box, JoinedLine, Line, Reading, Word

HEIGHT, LETTER = 24, 12


def box(left: float, top: float, width: float, height: float = HEIGHT) -> Box:
    return Box(left=left, top=top, right=left + width, bottom=top + height)


def line(
    text: str, left: float = 0, top: float = 0, sure: float = 0.9, height: float = HEIGHT
) -> Line:
    """A line whose letters are as wide as its height asks for."""
    wide = len(text) * LETTER * height / HEIGHT
    return Line(box=box(left, top, wide, height), text=text, confidence=sure)


def in_words(text: str, sure: dict[str, float], top: float = 0) -> Line:
    """A line whose engine tells of each word how sure it is."""
    words, left = [], 0.0
    for word in text.split():
        words.append(
            Word(box=box(left, top, len(word) * LETTER), text=word, confidence=sure.get(word, 0.9))
        )
        left += (len(word) + 1) * LETTER
    return line(text, top=top).model_copy(update={"words": tuple(words)})


def tesseract(*lines: Line) -> Reading:
    return Reading(engine="tesseract", lines=lines)


def paddle(*lines: Line) -> Reading:
    return Reading(engine="paddle", lines=lines)


def as_joined(lines: list[Line]) -> list[JoinedLine]:
    return [JoinedLine(**one.model_dump()) for one in lines]


# Words of all kinds: two scripts, digits, marks, Markdown's own, what no font has.
WORDS = st.one_of(
    st.sampled_from(["Счёт", "Cчёт", "№", "1234", "12", "345,67", "mapta", "марта", "A4", "А4"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=8),
    st.text("#*_|`[]<>-=+\\~&$0123456789.", min_size=1, max_size=6),
)
NUMBERS = st.one_of(
    st.integers(0, 3000).map(float), st.sampled_from([0.0, 1e-9, 1e9, -1e9, 1e300, -1e300])
)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Any at all: of no size, as large as a page, far outside of it."""
    left, right = sorted((draw(NUMBERS), draw(NUMBERS)))
    top, bottom = sorted((draw(NUMBERS), draw(NUMBERS)))
    return Box(left=left, top=top, right=right, bottom=bottom)


@st.composite
def lines_anywhere(draw: st.DrawFn) -> Line:
    text = " ".join(draw(st.lists(WORDS, min_size=1, max_size=5)))
    sure = draw(st.floats(0, 1))
    if draw(st.booleans()):
        return Line(box=draw(boxes()), text=text, confidence=sure)
    return line(text, draw(st.integers(0, 900)), draw(st.integers(0, 12)) * 10.0, sure)


PAGES = st.lists(lines_anywhere(), max_size=8)

EASY = settings(max_examples=60, deadline=None)  # how long a layout takes is no test's business
