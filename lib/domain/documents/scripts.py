"""Cyrillic and Latin letters that look alike, and engines that know only one of the scripts.

An engine without Cyrillic reads «Счёт № 1234 от 15 марта» as «Cët N 1234 ot 15 mapta», and is
sure of it: its confidence says nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

CYRILLIC = "а-яёА-ЯЁ"
_LOOKS_LIKE = str.maketrans(
    "АВЕКМНОРСТУХЁЗаеорсухёкмнтвзгпиьб№",
    "ABEKMHOPCTYXE3aeopcyxekmhtb3rnub6N",
)
_ACCENTS = str.maketrans("ëËéèáàóòúù", "eEeeaaoouu")
_AS_CYRILLIC = str.maketrans("ABEKMHOPCTYXaeopcyxkmhtnubrëË", "АВЕКМНОРСТУХаеорсухкмнтпиьгёЁ")
_LOOKALIKE = re.compile(r"[АВЕКМНОРСТУХаеорсух]")
_LETTER_RUN = re.compile(r"[A-Za-zÀ-ɏа-яёА-ЯЁ]+")
_A_CYRILLIC = re.compile(f"[{CYRILLIC}]")
_OF_CYRILLIC = re.compile(f"[{CYRILLIC}№]")  # who has no letters of it has no № either
_A_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_CYRILLIC_WORD = re.compile(f"(?<![^\\W_])[{CYRILLIC}]{{3,}}(?![^\\W_])")
KNOWS_FROM = 8


def folded(text: str) -> str:
    """A text in which letters that look alike are the same, and case does not count."""
    return text.translate(_LOOKS_LIKE).translate(_ACCENTS).casefold().replace("0", "o")


def as_cyrillic(text: str) -> str:
    """A text whose Latin letters are the Cyrillic ones that they look like; as long as it was."""
    return text.translate(_AS_CYRILLIC)


def has_cyrillic(text: str) -> bool:
    """Whether there is a Cyrillic letter, or a №."""
    return _OF_CYRILLIC.search(text) is not None


def has_letters(text: str) -> bool:
    """Whether there is a letter of either script."""
    return _LETTER_RUN.search(text) is not None


def is_mixed(text: str) -> bool:
    """Whether a run of letters has both scripts, as «Cчёт» with a Latin C has."""
    return any(
        _A_CYRILLIC.search(run) and _A_LATIN.search(run) for run in _LETTER_RUN.findall(text)
    )


def cyrillic_share(text: str) -> float:
    """Of all letters, 0 to 1; 0 without letters."""
    cyrillic, latin = len(_A_CYRILLIC.findall(text)), len(_A_LATIN.findall(text))
    return cyrillic / (cyrillic + latin) if cyrillic else 0.0


def knows_cyrillic(texts: Iterable[str]) -> bool:
    """Whether an engine reads Cyrillic: some words of it, not of letters that only look so."""
    proven = 0
    for text in texts:
        for word in _CYRILLIC_WORD.findall(text):
            if _LOOKALIKE.sub("", word):
                proven += len(word)
    return proven >= KNOWS_FROM
