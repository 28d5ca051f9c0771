"""What a text proves about how to reach its writer: phones and e-mails.

A wrong phone costs more than a missed one, so a run of digits counts only when it looks like a
phone, is valid in its country's numbering plan, and nothing beside it says it is something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from lib.domain.requisites import is_company_inn

HOME = "RU"  # numbers without a country code are of here

# Hyphens, dashes, no-break and narrow spaces are what keyboards really type; marks of direction and
# of no width are what comes along when a number is copied.
GAP = r"[ \t\-().\u00a0\u2009\u202f\u2010-\u2014\u200b-\u200f\u202a-\u202e\u2060]{0,3}"

_NOT_INSIDE = r"(?<![0-9A-Za-z/=#№_@])"
_RUSSIAN = re.compile(rf"(?<![0-9=#№_@])(?:\+{GAP}7|[78])(?:{GAP}[0-9]){{10}}(?![0-9])")
_INTERNATIONAL = re.compile(rf"(?<![0-9=#№_@])\+(?:{GAP}[0-9]){{8,15}}(?![0-9])")
_LOCAL = re.compile(rf"{_NOT_INSIDE}\(?[0-9](?:{GAP}[0-9]){{8,12}}(?![0-9])")

_PHONE_WORD = re.compile(
    r"(?:тел(?:ефон\w*)?|номер\w*|моб\w*|сот\w*|звон\w*|набер\w*|созвон\w*|связ\w*|контакт\w*"
    r"|ват?с?ап\w*|вацап\w*|whats\s?app|viber|вайбер\w*|tel|phone|call|mobile)"
    r"[^0-9\n]{0,20}$",
    re.IGNORECASE,
)
_OTHER_WORD = re.compile(
    r"(?:инн|кпп|огрн(?:ип)?|снилс|бик|оквэд|паспорт\w*|полис\w*|карт[аыеу]|сч[её]т\w*|р/с|к/с"
    r"|договор\w*|заказ\w*|заявк\w*|артикул\w*|трек\w*|код\w*|сумм\w*|id|№|#|[$€₽£])"
    r"[\s:.\-—№#]*(?:номер\w*)?[\s:.\-—]*$",
    re.IGNORECASE,
)
_MONEY_AFTER = re.compile(r"\s?(?:руб|р\.|₽|\$|€|тыс|млн|млрд|usd|eur|rub)", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2}")
# How people break a Russian number; after another number only these are believed.
_USUAL_GROUPS = {(11,), (1, 10), (1, 3, 7), (1, 3, 3, 4), (1, 3, 3, 2, 2), (4, 3, 2, 2), (4, 7)}

_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9_%+-]{1,64}(?:\.[A-Za-z0-9_%+-]{1,64}){0,8}"
    r"@(?:[A-Za-zА-Яа-яЁё0-9](?:[A-Za-zА-Яа-яЁё0-9-]{0,61}[A-Za-zА-Яа-яЁё0-9])?\.){1,5}"
    r"[A-Za-zА-Яа-яЁё]{2,24}(?![\w@])"
)
_COMPANY = re.compile(
    r"\b(?P<form>ООО|ОАО|ЗАО|ПАО|АО|ИП|НКО|LLC|Ltd)\s{1,2}"
    r"(?:[«\"“„](?P<quoted>[^«»\"“”„\n]{2,60})[»\"”“]|(?P<bare>[А-ЯЁA-Z][\w-]{1,40}))"
)


def phones_in(text: str, region: str = HOME) -> list[str]:
    """The valid phone numbers in a text, as people type them.

    Args:
        text: a person's words.
        region: the country whose numbers may come without a country code (ISO 3166, 2 letters).

    Returns:
        E.164 numbers in the order they come, each once. Sums, cards, INN, dates are left out.
    """
    return list(dict.fromkeys(phone for _, _, phone in phone_spans(text, region)))


@lru_cache(maxsize=1024)  # several rules ask about the same text, and a batch has many texts
def phone_spans(text: str, region: str) -> tuple[tuple[int, int, str], ...]:
    """Where the phones of `phones_in` stand: (start, end, E.164), ordered, never overlapping."""
    spans: list[tuple[int, int, str]] = []
    for start, end, phone in _candidates(text, region):
        if all(end <= taken[0] or start >= taken[1] for taken in spans):
            spans.append((start, end, phone))
    return tuple(sorted(spans))


def phone_from(value: str, region: str = HOME) -> str | None:
    """A field that holds one phone (a contact card, a form) as E.164; None when it is not valid."""
    digits = re.sub(r"[^0-9]", "", value[:64])
    # Telegram's contact cards leave the plus out.
    plain = None if "+" in value else _valid(digits, region)
    return plain or _valid(f"+{digits}", region)


def is_written_in(phone: str, text: str) -> bool:
    """Whether a text holds exactly this phone's digits, with or without the country code.

    Args:
        phone: an E.164 number.
        text: a person's words.
    """
    national = phone.removeprefix("+7") if phone.startswith("+7") else phone.removeprefix("+")
    code = rf"(?:(?:\+?{GAP}7|8){GAP})?" if phone.startswith("+7") else r"\+?"
    pattern = rf"(?<![0-9]){code}\(?{GAP.join(national)}(?![0-9])"
    return any(
        not _OTHER_WORD.search(text[max(0, found.start() - 40) : found.start()])
        for found in re.finditer(pattern, text)
    )


def emails_in(text: str) -> list[str]:
    """The e-mail addresses in a text, in lower case, in the order they come, each once."""
    return list(dict.fromkeys(email for _, _, email in email_spans(text)))


def email_spans(text: str) -> list[tuple[int, int, str]]:
    """Where the addresses of `emails_in` stand: (start, end, address), in order."""
    return [
        (*match.span(), match.group().lower())
        for match in _EMAIL.finditer(text)
        if len(match.group()) <= 254
    ]


def company_in(text: str) -> str | None:
    """The first company named with its legal form («ООО «Ромашка»», «ИП Петров»), or None."""
    found = _COMPANY.search(text)
    if found is None:
        return None
    name = (found["quoted"] or found["bare"]).strip()
    return f"{found['form']} «{name}»" if found["quoted"] else f"{found['form']} {name}"


def _candidates(text: str, region: str) -> Iterator[tuple[int, int, str]]:
    for match in _RUSSIAN.finditer(text):
        if _is_russian_phone(text, match) and (phone := _valid(match.group(), "RU")):
            yield *match.span(), phone
    for match in _INTERNATIONAL.finditer(text):
        if found := _longest_valid(match.group(), region):
            yield match.start(), match.start() + found[0], found[1]
    for match in _LOCAL.finditer(text):
        if _is_local_phone(text, match) and (phone := _valid_local(match.group(), region)):
            yield *match.span(), phone


def _is_russian_phone(text: str, match: re.Match[str]) -> bool:
    written, groups = match.group(), _groups(match.group())
    if written.startswith("+"):
        return True
    before = text[max(0, match.start() - 40) : match.start()]
    if _is_something_else(text, match) or groups == (3, 3, 3, 2):  # the last one is a SNILS
        return False
    if before.endswith("/") and not before.endswith(("wa.me/", "t.me/")):
        return False
    is_after_number = re.search(rf"[0-9]{GAP}$", before) is not None
    return not is_after_number or groups in _USUAL_GROUPS


def _is_local_phone(text: str, match: re.Match[str]) -> bool:
    """Without a country code only a word beside it, or the whole message, makes it a phone."""
    written, groups = match.group().strip(), _groups(match.group())
    if _is_something_else(text, match) or groups[:2] == (4, 6):
        return False
    if re.fullmatch(rf"\([0-9]{{3}}\){GAP}[0-9]{{3}}{GAP}[0-9]{{2}}{GAP}[0-9]{{2}}", written):
        return True
    if text.strip() == written:
        return written.startswith(("9", "(9")) and not is_company_inn(written)
    return _PHONE_WORD.search(text[max(0, match.start() - 40) : match.start()]) is not None


def _is_something_else(text: str, match: re.Match[str]) -> bool:
    groups = _groups(match.group())
    looks_like_sum = len(groups) > 2 and all(size == 3 for size in groups[1:])
    return (
        looks_like_sum
        or _DATE.match(match.group()) is not None
        or _MONEY_AFTER.match(text, match.end()) is not None
        or _OTHER_WORD.search(text[max(0, match.start() - 40) : match.start()]) is not None
    )


def _groups(written: str) -> tuple[int, ...]:
    return tuple(len(group) for group in re.findall(r"[0-9]+", written))


def _longest_valid(written: str, region: str) -> tuple[int, str] | None:
    """The longest valid beginning that ends with a group: what follows a phone may be a sum."""
    ends = [match.end() for match in re.finditer(r"[0-9]+", written)]
    for end in reversed(ends):
        if phone := _valid(written[:end], region):
            return end, phone
    return None


def _valid_local(written: str, region: str) -> str | None:
    return _valid(written, region) or _valid("+" + re.sub(r"[^0-9]", "", written), region)


def _valid(written: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
