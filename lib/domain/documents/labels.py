"""Words that documents are labelled with, found although a letter of them is misread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from lib.domain.documents.scripts import folded

_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN = re.compile(r"[^\w\n]{0,3}\n?[^\w\n]{0,2}")  # a label may go on in the next cell


def labels_in(text: str, labels: Sequence[str]) -> list[tuple[int, int]]:
    """Where any of the labels stands, whatever its case: (start, end), in order, the longest each.

    Args:
        text: of pages.
        labels: words with spaces between them; of a long word one letter or two may differ.
    """
    words = _words(text)
    wanted = [tuple(word for _, _, word in _words(label)) for label in labels]
    found: list[tuple[int, int]] = []
    for place, (start, _, _) in enumerate(words):
        ends = [end for label in wanted if (end := _end_of(text, words, place, label))]
        if ends and (not found or start >= found[-1][1]):
            found.append((start, max(ends)))
    return found


def has_label(text: str, *labels: str) -> bool:
    """Whether one of them stands in the text."""
    return bool(labels_in(text, labels))


def _is_like(word: str, label: str) -> bool:
    if word == label or len(word) != len(label):
        return word == label
    wrong = sum(one != other for one, other in zip(word, label, strict=True))
    return wrong <= (
        0 if len(label) < 5 else 1 if len(label) < 11 else 2
    )  # «получатель» is not «покупатель»


def _end_of(
    text: str, words: Sequence[tuple[int, int, str]], place: int, label: Sequence[str]
) -> int | None:
    """Where a label ends that begins with this word; None: another word stands here."""
    if place + len(label) > len(words):
        return None
    for number, wanted in enumerate(label):
        start, _, word = words[place + number]
        if not _is_like(word, wanted):
            return None
        if number and not _BETWEEN.fullmatch(text[words[place + number - 1][1] : start]):
            return None
    return words[place + len(label) - 1][1]


@lru_cache(maxsize=512)  # one page is searched for many labels
def _words(text: str) -> tuple[tuple[int, int, str], ...]:
    """The words of a text, each with its ends, in lower case and look-alikes the same."""
    return tuple(
        (match.start(), match.end(), folded(match.group().lower()))
        for match in _WORD.finditer(text)
    )
