"""The name by which a person introduces themselves.

First what people write when they say who they are, then natasha's named-entity model. A name in
the text is not always the writer's: whom they greet, who sent them, whose account it is are left.

Source: https://github.com/natasha/natasha, 1.6.0, read 2026-11-22.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

from lib.domain.vocabulary import FIRST_NAMES, NOT_IN_NAMES, SMALL_TALK

NER_LIMIT = 1200  # characters; who they are, people say early

_WORD = r"[А-ЯЁA-Z][а-яёa-z]{1,20}(?:-[А-ЯЁA-Z][а-яёa-z]{1,20})?"
_FULL = rf"{_WORD}(?:[ \t]{_WORD}){{0,2}}"
_ANY_WORD = r"[А-ЯЁA-Zа-яёa-z]{2,20}(?:-[А-ЯЁA-Zа-яёa-z]{2,20})?"

# «Меня зовут анна петрова»: such words are believed in any letter case.
_SAID = re.compile(
    r"(?<!\w)(?i:(?:меня\s+зовут|зовут\s+меня|мо[её]\s+имя|имя\s+мо[её]|звать\s+меня|меня\s+звать"
    r"|обращаться\s+ко\s+мне|ф\.?\s?и\.?\s?о\.?|my\s+name\s+is)\s{0,3}[:—–-]?|имя\s?[:—–-])\s{0,3}"
    rf"(?P<name>{_ANY_WORD}(?:[ \t]{_ANY_WORD}){{0,2}})"
)
# «Это Анна», «Иван, +7…», «С уважением, Пётр Иванов»: only with a capital letter.
_SHOWN = re.compile(
    rf"(?:(?i:с\s+уважением|всего\s+доброго|best\s+regards|regards)[\s,.!—–-]{{1,4}}(?P<signed>{_FULL})"
    rf"|(?:^|[.!?,\n]\s{{0,3}})(?i:это|я|я\s*[—–-]|this\s+is|i\s+am|i'm)\s{{1,2}}(?P<shown>{_FULL}))"
)
_ALONE = re.compile(
    rf"(?:^|[.!?,;])\s{{0,4}}(?P<name>{_ANY_WORD}(?:[ \t]{_ANY_WORD}){{0,2}})"
    r"[\s,.:;—–-]{0,4}(?=$|\+|[78(][\s(-]?\d)",
    re.MULTILINE,
)
_SURNAME = re.compile(
    r"(?:ов|ев|ёв|ин|ын|ова|ева|ёва|ина|ына|ский|цкий|ская|цкая|ко|ук|юк|ян|швили|дзе|ых|их"
    r"|вич|вна|ична|оглы|кызы|son)$",
    re.IGNORECASE,
)
_CAPITALISED = re.compile(r"\b[А-ЯЁ][а-яё]+")
_GREETED = re.compile(
    r"(?:здравствуй(?:те)?|привет(?:ствую)?|добр\w+\s+(?:день|вечер|утро|ночи)|доброго\s+\w+|спасибо"
    r"|благодарю|уважаем\w+|hello|hi|dear)[\s,]{1,3}$",
    re.IGNORECASE,
)
_SOMEBODY_ELSE = re.compile(
    r"\b(?:от|для|у|с|со|к|ко|про|об?|на|муж\w*|жен[аыуе]\w?|мам\w|пап\w|сын\w*|доч\w+|брат\w*|сестр\w+|друг\w*"
    r"|коллег\w+|директор\w*|менеджер\w*|специалист\w*|посоветовал\w*|порекомендовал\w*|рекомендовал\w*"
    r"|вас|вам|имени|имя|улиц\w+|ул\.|проспект\w*|банк\w*)\s{1,2}$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Models:
    segmenter: Any
    tagger: Any
    document: Any


@cache
def load_names() -> _Models:
    """Load the named-entity model, once in a process. Call it ahead of the first text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # natasha imports the deprecated pkg_resources
        import natasha
    tagger = natasha.NewsNERTagger(natasha.NewsEmbedding())
    return _Models(natasha.Segmenter(), tagger, natasha.Doc)


def person_name(text: str) -> str | None:
    """The writer's name in a text, in title case, not inflected; None when they do not say it.

    Args:
        text: a person's words; the model reads the first ``NER_LIMIT`` characters.
    """
    return _name_said(text) or _name_found(text[:NER_LIMIT])


def _name_said(text: str) -> str | None:
    for match in _SAID.finditer(text):
        if name := _name_from(match["name"].split(), is_said=True):
            return name
    for match in _SHOWN.finditer(text):
        name = _name_from((match["signed"] or match["shown"]).split(), is_said=False)
        if name:
            return name
    for match in _ALONE.finditer(text):
        words = match["name"].split()
        is_name = all(map(_is_name_word, words)) and any(map(_is_first_name, words))
        if is_name and not _is_somebody_else(text, match.start("name")):
            return _name_from(words, is_said=False)
    return None


def _name_from(words: list[str], is_said: bool) -> str | None:
    """As many of the words as are a name: «анна петрова хочу» gives «Анна Петрова».

    After «меня зовут» the first word is one whatever it is; elsewhere one must be known as such.
    """
    if not is_said and not any(map(_is_first_name, words)):
        return None
    kept: list[str] = []
    for word in words:
        is_capital = word[0].isupper() and not word.isupper()
        if (kept and not (is_capital or _is_name_word(word))) or word.lower() in NOT_IN_NAMES:
            break
        kept.append(word)
    return _title(kept)


def _name_found(text: str) -> str | None:
    written_as_names = (word.lower() for word in _CAPITALISED.findall(text))
    if all(word in NOT_IN_NAMES or word in SMALL_TALK for word in written_as_names):
        return None
    models = load_names()
    document = models.document(text)
    document.segment(models.segmenter)
    document.tag_ner(models.tagger)
    for span in document.spans:
        if span.type == "PER" and not _is_somebody_else(text, span.start):
            words = re.findall(_ANY_WORD, span.text)[:3]
            if any(map(_is_first_name, words)) or len(words) > 1:
                return _title(words)
    return None


def _is_somebody_else(text: str, start: int) -> bool:
    """Whether the words before a name say that it is not the writer's."""
    before = text[max(0, start - 30) : start]
    return bool(_GREETED.search(before) or _SOMEBODY_ELSE.search(before))


def _title(words: list[str]) -> str | None:
    name = " ".join(word.title() for word in words)
    return name if 2 <= len(name) <= 60 else None


def _is_first_name(word: str) -> bool:
    return word.lower() in FIRST_NAMES


def _is_name_word(word: str) -> bool:
    return _is_first_name(word) or _SURNAME.search(word) is not None
