"""What a text wants: a request to a finance company, small talk, or spam. Tables of words."""

from __future__ import annotations

import re
from typing import Literal

from lib.domain.vocabulary import SMALL_TALK


def _words(*stems: str) -> re.Pattern[str]:
    """A pattern of word beginnings; a stem that ends with ``!`` is a whole word."""
    parts = (stem[:-1] + r"\b" if stem.endswith("!") else stem for stem in stems)
    return re.compile(r"\b(?:" + "|".join(parts) + ")", re.IGNORECASE)


# The first that fits names the wish: «рефинансировать ипотеку» is a refinancing.
_INTENTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("рефинансирование", _words("рефинанс", "перекредит", "refinanc")),
    ("ипотека", _words("ипотек", "ипотеч", "mortgage")),
    ("банковская гарантия", _words(r"банковск\w+ гарант", "гаранти[яюие]!", "тендерн")),
    ("лизинг", _words("лизинг", "leasing")),
    ("факторинг", _words("факторинг", "factoring")),
    ("займ", _words(r"займ(?:[ауеы]|ом|ов|ам|ами|ах)?!", "за[её]м", "микрозайм")),
    (
        "кредит",
        _words("кредит", "credit", "loan", r"(?:взять|дать|дадите|занять)\s+(?:в долг|денег)"),
    ),
    ("вклад", _words("вклад!", "вклады!", "депозит")),
    ("страхование", _words("страхов", "осаго", "каско")),
    ("консультация", _words("консультац", "проконсультир")),
)
_NEED = _words(
    r"нуж(?:ен|на|но|ны)!",
    "хочу!",
    "хотел",
    "хотим!",
    "интересу",
    "требу",
    "необходим",
    "ищу!",
    "ищем!",
    r"подска(?:жите|зать)",
    r"помо(?:гите|жете)",
    r"оформить",
    r"взять",
    r"получить",
    r"подать",
    r"рассчита",
    r"перезвоните",
    r"позвоните",
    r"свяжитесь",
    r"сколько\s+(?:стоит|будет)",
    r"можно\s+ли",
    r"как(?:ая|ой|ие|ую)\s+(?:ставк|процент|услов)",
    r"заявк",
    r"услови[яйе]",
    r"ставк[аиу]",
    r"стоимость",
    r"i\s+need!",
    r"i\s+want!",
    r"interested",
    r"apply!",
)
_NEED_DENIED = re.compile(
    r"\b(?:не\s+(?:нуж\w+|интересу\w+|хочу|хотим|требу\w+|надо|ищу|актуальн\w*)|уже\s+не\s+\w+|"
    r"отпишите|отказываюсь|don't\s+need|not\s+interested)",
    re.IGNORECASE,
)
_THANKS_FOR = re.compile(r"\bхоч(?:у|ется)\s+(?:сказать|поблагодарить|выразить)", re.IGNORECASE)

_URGENT = _words(
    "срочн", "как можно (?:скорее|быстрее)", "горит!", "сегодня", "немедленн", "asap!", "urgent"
)
_NOT_URGENT = re.compile(
    r"\bне\s+(?:очень\s+)?(?:срочн|горит|к\s+спеху|тороп)|на\s+будущее|\bпока\s+(?:просто\s+)?присматрива",
    re.IGNORECASE,
)

_SPAM_WORDS: tuple[tuple[int, re.Pattern[str]], ...] = (
    (
        2,
        _words("казино", "casino", "1xbet", "фриспин", "букмекер", r"ставк\w+ на спорт", "вулкан!"),
    ),
    (
        2,
        _words(
            r"пассивн\w+ доход",
            r"л[её]гк\w+ (?:деньги|заработ)",
            r"заработок (?:от|до|без)",
            "сигналы на",
        ),
    ),
    (2, _words(r"арбитраж\w* (?:крипт|usdt|p2p)", r"(?:иксы|x100|х100)!", r"airdrop", r"памп")),
    (
        2,
        _words(
            r"(?:продам|куплю|продаю|скупаю)\s+(?:аккаунт|базу|базы|карты)",
            "накрутк",
            "интим",
            "эскорт",
        ),
    ),
    (
        2,
        _words(
            r"набира\w+ (?:людей|сотрудников|команду)",
            r"удал[её]нн\w+ (?:работа|заработок|подработка)",
        ),
    ),
    (1, _words("крипт", "usdt", "биткоин", "bitcoin", "btc!", "nft", "токен")),
    (
        1,
        _words(
            "заработ", "доход!", r"от \d+ ?\$", "прибыл", "бонус", "промокод", "розыгрыш", "выигр"
        ),
    ),
    (
        1,
        _words(
            "скидк",
            "акци[яи]!",
            "распродаж",
            "подпис(?:ывай|ка|аться)",
            "переходи",
            "жми!",
            "пиши(?:те)? \\+",
            "в лс!",
        ),
    ),
    (
        1,
        _words(
            r"предлага\w+ (?:услуг|сотруднич|продвиж)",
            "раскрутк",
            "рассылк",
            "seo!",
            r"продвижени\w+ (?:сайт|канал|бизнес)",
        ),
    ),
    (1, _words(r"(?:одобр\w+|кредит|займ\w*) (?:всем|без отказ)", "без отказа", "100% одобрен")),
)
_LINK = re.compile(
    r"(?:https?://)?(?:t\.me/|telegram\.me/|bit\.ly/|tinyurl\.com/|clck\.ru/|goo\.su/|vk\.cc/|is\.gd/|u\.to/)\S",
    re.IGNORECASE,
)
_PHONE_LINK = re.compile(r"t\.me/\+7\d{10}\b")
SPAM_FROM = 2


def intent_in(text: str) -> str | None:
    """What is asked for, as one of the house's words («кредит», «ипотека», …), or None."""
    return next((intent for intent, pattern in _INTENTS if pattern.search(text)), None)


def is_request(text: str) -> bool:
    """Whether a text asks for something, and does not say that it is not wanted."""
    rest = _THANKS_FOR.sub(" ", _NEED_DENIED.sub(" ", text))
    if _NEED.search(rest):
        return True
    return intent_in(text) is not None and not _NEED_DENIED.search(text)


def is_small_talk(text: str) -> bool:
    """Whether nothing is left of a text without greetings, thanks, signs and emoji."""
    return all(word in SMALL_TALK for word in re.findall(r"\w+", text.lower()))


def is_spam(text: str) -> bool:
    """Whether a text advertises: marks of an offer add up, a link weighs, a plain need excuses."""
    weight = sum(weight for weight, pattern in _SPAM_WORDS if pattern.search(text))
    if weight and _LINK.search(_PHONE_LINK.sub(" ", text)):
        weight += 1
    elif weight and intent_in(text) and _NEED.search(text):
        weight -= 1
    return weight >= SPAM_FROM


def urgency_in(text: str) -> Literal["low", "high"] | None:
    """How soon it is wanted, when the text says so."""
    if _NOT_URGENT.search(text):
        return "low"
    return "high" if _URGENT.search(text) else None


def language_of(text: str) -> Literal["ru", "en"] | None:
    """The language by its letters; None for a text without words."""
    cyrillic = len(re.findall(r"[а-яё]", text, re.IGNORECASE))
    latin = len(re.findall(r"[a-z]", text, re.IGNORECASE))
    if not cyrillic and not latin:
        return None
    return "ru" if cyrillic >= latin else "en"
