"""How far a transcript is from what was said."""

from __future__ import annotations

import re
from collections.abc import Sequence


def words_of(text: str) -> list[str]:
    """Words alone: no punctuation, no case, no ё."""
    return re.sub(r"[^\w\s]", " ", text.lower().replace("ё", "е")).split()


def distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Levenshtein's: what must be left out, put in or replaced."""
    row = list(range(len(heard) + 1))
    for number, one in enumerate(said, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(heard, 1):
            best = min(row[place] + 1, row[place - 1] + 1, before + (one != other))
            before, row[place] = row[place], best
    return row[-1]


def word_errors(said: str, heard: str) -> float:
    """Word error rate."""
    return distance(words_of(said), words_of(heard)) / len(words_of(said))


def character_errors(said: str, heard: str) -> float:
    """Character error rate."""
    one, other = " ".join(words_of(said)), " ".join(words_of(heard))
    return distance(one, other) / len(one)
