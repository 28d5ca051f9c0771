"""Whether a word may stand in place of a doubtful one: what engines read there must bear it out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lib.domain.documents.aligning import similarity
from lib.domain.documents.dates import month_from
from lib.domain.documents.doubts import Doubt
from lib.domain.documents.finds import found_in
from lib.domain.documents.pages import JoinedLine
from lib.domain.documents.scripts import as_cyrillic
from lib.domain.lines import one_line
from lib.domain.money_words import WORDS
from lib.domain.requisites import is_account, is_inn, is_ogrn

LONGEST = 300
SIMILAR_FROM = 0.65
DIGITS_APART = 2  # that check digits may bring to light; of more they are chance

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
# Digits, addresses of people and of pages: never a model's own.
_GUARDED = re.compile(r"[@\\]|//|\w\.\w")
_SIGNS = re.compile(r"[$€£¥₽₸%+−<>=()-]")


def is_borne_out(
    line: JoinedLine, doubt: Doubt, fix: str, before: str, behind: str, biks: set[str]
) -> bool:
    """Whether a model's words may stand in place of a doubt.

    Args:
        line: as it was joined, with what engines read.
        doubt: of that line.
        fix: the model's words, whatever they are.
        before: what stands in the line before it by now; ``behind``: after it.
        biks: banks named on the page, whose numbers prove accounts.
    """
    if not fix or one_line(fix, LONGEST) != fix:
        return False
    if fix not in doubt.readings and not _is_close(fix, doubt.readings):
        return False
    proven = _proven_in(fix, doubt, biks)
    if not all(
        chunk in proven or _is_within(chunk, doubt.readings) for chunk in _guarded_in(fix.split())
    ):
        return False
    text = before + fix + behind
    read = (line.text, *line.raw.values())
    # Words are certain one by one, and a number may go over several of them.
    if not all(chunk in proven or _is_within(chunk, read) for chunk in _guarded_in(text.split())):
        return False
    known = {(each.kind, each.value) for one in read for each in found_in(one)}
    known |= {(each.kind, each.value) for one in read for each in found_in(as_cyrillic(one))}
    digits = {re.sub(r"\D", "", chunk) for chunk in proven}
    found = found_in(text)
    if not all((each.kind, each.value) in known or each.value in digits for each in found):
        return False
    stays = {
        (each.kind, each.value) for each in found_in(before + doubt.text + behind) if each.is_proven
    }
    return stays <= {(each.kind, each.value) for each in found}


def is_about_a_number(doubt: Doubt, fix: str, biks: set[str]) -> bool:
    """Whether digits or an address are at stake that no check digit proves."""
    guarded = [chunk for text in (fix, *doubt.readings) for chunk in _guarded_in(text.split())]
    return bool(guarded) and not all(
        _is_proven(re.sub(r"\D", "", chunk), biks) for chunk in _guarded_in(fix.split()) or [""]
    )


def _is_close(fix: str, readings: Sequence[str]) -> bool:
    """Whether it is what somebody may have misread: as many words, most letters the same."""
    together = fix.replace(" ", "")
    if any(together == one.replace(" ", "") for one in readings):
        return True
    if len(fix.split()) not in {len(one.split()) for one in readings}:
        return False
    if sorted(_SIGNS.findall(fix)) not in [sorted(_SIGNS.findall(one)) for one in readings]:
        return False
    said = {word for one in readings for word in as_cyrillic(one).casefold().split()}
    if any(_is_named_number(word) and word not in said for word in fix.casefold().split()):
        return False
    return max(similarity(fix, one) for one in readings) >= SIMILAR_FROM


def _is_named_number(word: str) -> bool:
    """Whether a word is a number, or a month: one letter may make another of it."""
    bare = _EDGES.sub("", word)
    return bare in WORDS or month_from(bare) is not None


def _guarded_in(words: Iterable[str]) -> list[str]:
    """Words with digits or of addresses, those that follow each other as one, without edges."""
    found: list[str] = []
    chunk: list[str] = []
    for word in (*words, ""):
        if any(map(str.isnumeric, word)) or _GUARDED.search(word):
            chunk.append(word)
        elif chunk:
            found.append(_EDGES.sub("", " ".join(chunk)))
            chunk = []
    return found


def _is_within(chunk: str, texts: Iterable[str]) -> bool:
    """Whether one of the texts has it, in whole words and numbers."""
    return any(
        re.search(rf"(?<![\w@.,]){re.escape(chunk)}(?![\w@]|[.,]\w)", text) is not None
        for text in texts
    )


def _proven_in(fix: str, doubt: Doubt, biks: set[str]) -> set[str]:
    """Numbers in a model's words whose check digits fit, and that are nearly what was read."""
    read = {re.sub(r"\s", "", _EDGES.sub("", one)) for one in doubt.readings}
    found = set()
    for chunk in _guarded_in(fix.split()):
        digits = re.sub(r"\s", "", chunk)
        near = any(
            len(one) == len(digits)
            and sum(a != b for a, b in zip(one, digits, strict=True)) <= DIGITS_APART
            for one in read
        )
        if near and _is_proven(digits, biks):
            found.add(chunk)
    return found


def _is_proven(digits: str, biks: set[str]) -> bool:
    return is_inn(digits) or is_ogrn(digits) or any(is_account(digits, bik) for bik in biks)
