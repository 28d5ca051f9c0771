"""Foreign words made safe to show: in one line, without control characters, without markup."""

from __future__ import annotations

import re

# Control characters but tab and newline, those that turn the direction of writing, and halves of
# surrogate pairs, which no database takes.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LOOKALIKES = str.maketrans({"[": "［", "]": "］", "<": "‹", ">": "›"})
_ENTITY = re.compile(r"&(?=#|\w)")


def one_line(text: str, limit: int) -> str:
    """A text in one line of at most ``limit`` characters; a cut one ends with «…»."""
    line = " ".join(_UNSEEN.sub(" ", text).split())
    return line if len(line) <= limit else line[: max(0, limit - 1)].rstrip() + "…"


def plain(text: str) -> str:
    """A text in which neither BBCode, nor HTML, nor an entity is left.

    Brackets become look-alikes rather than escapes: the CRM shows some fields as BBCode, some as
    HTML, some as they are, and a person must read the same words in each.
    """
    return _ENTITY.sub("＆", _UNSEEN.sub("", text)).translate(_LOOKALIKES)
