"""How sums are written in Russian texts: the patterns that `lib.domain.money` reads by."""

from __future__ import annotations

import re
from decimal import Decimal

SPACE = r"[ \t\u00a0\u2009\u202f]"
_PLAIN = r"[0-9]{1,12}(?:[.,][0-9]{1,3})?"
NUMBER = rf"[0-9]{{1,3}}(?:(?:{SPACE}|['.,])[0-9]{{3}})+(?:[.,][0-9]{{1,2}})?|{_PLAIN}"
SCALES = (
    (r"млрд\b\.?|миллиард\w*|billion", Decimal(10) ** 9),
    (r"млн\b\.?|мил\b\.?|миллион\w*|лям\w*|million|mln\b", Decimal(10) ** 6),
    (r"тыс\b\.?|тысяч\w*|тыщ\w*|т\.?\s?р\b\.?|косар\w*|thousand", Decimal(1000)),
)
# One letter is a scale only right after the digits: «приду в 5 к вам».
LETTER_SCALES = ((r"кк|kk|m", Decimal(10) ** 6), (r"к|k", Decimal(1000)))
CURRENCIES = (
    (r"₽|руб\w*\.?|р\b\.?|rub\b", "RUB"),
    (r"(?:us)?\$|долл\w*|бакс\w*|usd\b", "USD"),
    (r"€|евро\b|eur\b", "EUR"),
    (r"₸|тенге\b|kzt\b", "KZT"),
    (r"¥|юан\w*|cny\b", "CNY"),
    (r"дирхам\w*|aed\b", "AED"),
    (r"£|gbp\b", "GBP"),
)
_ANY_SCALE = "|".join(pattern for pattern, _ in SCALES)
_ANY_CURRENCY = "|".join(pattern for pattern, _ in CURRENCIES)

WORDS: dict[str, Decimal] = {
    word: Decimal(value)
    for value, words in (
        ("0.5", "пол"),
        ("1", "один одна"),
        ("1.5", "полтора полторы"),
        ("2", "два две двух"),
        ("3", "три трех трёх"),
        ("4", "четыре"),
        ("5", "пять пяти"),
        ("6", "шесть"),
        ("7", "семь"),
        ("8", "восемь"),
        ("9", "девять"),
        ("10", "десять десяти"),
        ("12", "двенадцать"),
        ("15", "пятнадцать"),
        ("20", "двадцать"),
        ("30", "тридцать"),
        ("40", "сорок"),
        ("50", "пятьдесят"),
        ("60", "шестьдесят"),
        ("70", "семьдесят"),
        ("80", "восемьдесят"),
        ("90", "девяносто"),
        ("100", "сто ста"),
        ("200", "двести"),
        ("300", "триста"),
        ("400", "четыреста"),
        ("500", "пятьсот"),
        ("600", "шестьсот"),
        ("700", "семьсот"),
        ("800", "восемьсот"),
        ("900", "девятьсот"),
    )
    for word in words.split()
}
_WORD = "|".join(sorted((word for word in WORDS if word != "пол"), key=len, reverse=True))

IN_DIGITS = re.compile(
    rf"(?<![\w.,№#/])(?P<before>(?:us)?\$|[€£₽¥]|usd|eur|rub)?{SPACE}?"
    rf"(?:(?:от{SPACE})?{_PLAIN}{SPACE}?(?:-|–|—|до){SPACE}?)?"
    rf"(?P<number>{NUMBER})(?![0-9])"
    rf"(?:(?P<letter>(?:кк|kk|[кkm])\b)|{SPACE}{{0,2}}(?P<scale>{_ANY_SCALE}))?"
    rf"(?:{SPACE}{{0,2}}(?P<after>{_ANY_CURRENCY}))?",
    re.IGNORECASE,
)
IN_WORDS = re.compile(
    rf"(?<!\w)(?:(?P<words>(?:{_WORD})(?:{SPACE}(?:{_WORD})){{0,2}}){SPACE}"
    rf"|(?P<half>пол){SPACE}?)?"
    rf"(?P<scale>миллиард\w*|миллион\w*|млн\b|лям\w*|тысяч\w*|тыс\b)"
    rf"(?:{SPACE}{{0,2}}(?P<after>{_ANY_CURRENCY}))?",
    re.IGNORECASE,
)
# What follows these is counted, not paid; the second list holds after «тыс» and «млн» too.
COUNTED = re.compile(
    r"\s{0,2}(?:%|процент|лет\b|год|мес|дн[яейь]|час|мин\b|м\b|сот[ок]|раз\b|этаж|комнат|г\b|ч\b)",
    re.IGNORECASE,
)
COUNTED_IN_MILLIONS = re.compile(
    r"\s{0,2}(?:км|м2|м²|кв\b|га\b|шт|чел|подписчик|просмотр|тонн|единиц)", re.IGNORECASE
)
NUMBERED = re.compile(
    r"(?:индекс|заказ\w*|договор\w*|заявк\w*|№|код|id|бик|кпп|инн|огрн|сч[её]т|артикул)\W{0,3}$",
    re.IGNORECASE,
)
A_MONTH = re.compile(r"\s{0,2}(?:в|за|/)\s{0,2}мес", re.IGNORECASE)
MONEY_WORD = re.compile(
    r"(?:сумм\w*|кредит\w*|за[её]м\w*|займ\w*|ипотек\w*|лизинг\w*|гаранти\w*|лимит\w*|бюджет\w*"
    r"|стои\w*|цен\w*|доход\w*|зарплат\w*|оборот\w*|взнос\w*)[^0-9.!?\n]{0,25}$",
    re.IGNORECASE,
)
WANTED = re.compile(
    r"сумм|кредит|за[её]м|займ|ипотек|лизинг|рефинанс|гаранти|факторинг|лимит|нуж|надо|хочу|хотел"
    r"|взять|получить|оформить|требу|интерес|ищу|need|loan",
    re.IGNORECASE,
)
ASIDE = re.compile(
    r"доход|зарплат|зп\b|выручк|оборот|плат[её]ж|взнос|долг|остат|переплат|комисси|ежемесячн|штраф"
    r"|income|salary",
    re.IGNORECASE,
)
RANGE_JOINT = re.compile(r"\s{0,2}(?:до|-|–|—)\s{0,2}", re.IGNORECASE)
