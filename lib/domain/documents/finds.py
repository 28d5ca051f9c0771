"""What a page's text proves: tax and bank numbers, dates, sums, phones, e-mails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from lib.domain.contacts import HOME, email_spans, phone_spans
from lib.domain.documents.dates import dates_in
from lib.domain.documents.pages import Box, Line
from lib.domain.documents.rows import Rows
from lib.domain.money import sum_spans
from lib.domain.requisites import is_account, is_bik, is_inn, is_kpp, is_ogrn

Kind = Literal["inn", "kpp", "ogrn", "bik", "account", "date", "amount", "phone", "email"]

_GAP = r"[ \t\u00a0\u2009\u202f]?"
_LABELLED = r"[\s:№.\-—/|]{0,8}"
_NUMBER = re.compile(rf"(?<![0-9.,])[0-9](?:{_GAP}[0-9]){{8,19}}(?![0-9])(?![.,][0-9])")
_KPP = re.compile(r"(?<![0-9A-Za-z])[0-9]{4}[0-9A-Z]{2}[0-9]{3}(?![0-9A-Za-z])")
_NAMES_KPP = re.compile(
    rf"(?:КПП{_LABELLED}(?:[0-9]{{10}}{_LABELLED})?|[0-9]{{10}}\s?[/\\]\s?)$", re.I
)
_NAMES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("inn", re.compile(rf"ИНН(?:{_LABELLED}КПП)?{_LABELLED}$", re.I)),
    ("ogrn", re.compile(rf"ОГРН(?:ИП)?{_LABELLED}$", re.I)),
    ("bik", re.compile(rf"БИК{_LABELLED}$", re.I)),
)
# A number with kopecks is a sum wherever it stands: «12 345,67», «1,234.56».
_KOPECKS = re.compile(
    r"(?<![0-9.,])(?:[0-9]{1,3}(?:[ \u00a0\u2009\u202f'.,][0-9]{3})+|[0-9]+)[.,][0-9]{2}"
    r"(?![0-9%]|[.,][0-9]|\s?%)"
)


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a text.

    Attributes:
        start: where it begins in the text; ``end``: behind it.
        value: digits alone, ISO 8601, a sum with a point, E.164, an address in lower case.
        is_proven: its check digits fit. What has none (КПП, БИК, dates, sums) is as it was read.
    """

    kind: Kind
    start: int
    end: int
    value: str
    is_proven: bool = False


def found_in(text: str) -> list[Found]:
    """All of it, in the order it comes; where two claim one place the surer kind has it."""
    taken: list[Found] = []
    for each in (*_numbers(text), *_kpps(text), *_dates(text), *_contacts(text), *_sums(text)):
        if all(each.end <= other.start or each.start >= other.end for other in taken):
            taken.append(each)
    return sorted(taken, key=lambda each: each.start)


def found_on(lines: Sequence[Line]) -> list[tuple[Found, Box]]:
    """What stands on a page, and where.

    A row is read as one text: a table has «БИК» in one cell and the number in the next.
    """
    rows = Rows([(1, lines)])
    return [(each, rows.place(each.start, each.end).box) for each in found_in(rows.text)]


def _numbers(text: str) -> Iterator[Found]:
    """Those with check digits, and what a word before them names."""
    found = [(match, re.sub(r"[^0-9]", "", match.group())) for match in _NUMBER.finditer(text)]
    biks = [digits for _, digits in found if is_bik(digits)]
    for match, digits in found:
        before = text[max(0, match.start() - 40) : match.start()]
        named = next((kind for kind, name in _NAMES if name.search(before)), None)
        if len(digits) == 20:
            proven = any(is_account(digits, bik) for bik in biks)
            yield Found("account", *match.span(), digits, proven)
        elif named == "bik" or (named is None and digits.startswith("04") and is_bik(digits)):
            if is_bik(digits):
                yield Found("bik", *match.span(), digits)
        elif (named == "inn" and len(digits) in (10, 12)) or (named is None and is_inn(digits)):
            yield Found("inn", *match.span(), digits, is_inn(digits))
        elif (named == "ogrn" and len(digits) in (13, 15)) or (named is None and is_ogrn(digits)):
            yield Found("ogrn", *match.span(), digits, is_ogrn(digits))


def _kpps(text: str) -> Iterator[Found]:
    for match in _KPP.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        if is_kpp(match.group()) and _NAMES_KPP.search(before):
            yield Found("kpp", *match.span(), match.group())


def _dates(text: str) -> Iterator[Found]:
    for start, end, day in dates_in(text):
        yield Found("date", start, end, day.isoformat())


def _contacts(text: str) -> Iterator[Found]:
    for start, end, email in email_spans(text):
        yield Found("email", start, end, email)
    for start, end, phone in phone_spans(text, HOME):
        yield Found("phone", start, end, phone)


def _sums(text: str) -> Iterator[Found]:
    for match in _KOPECKS.finditer(text):
        yield Found("amount", *match.span(), str(amount_from(match.group())))
    for start, end, money in sum_spans(text):
        yield Found("amount", start, end, f"{money.amount:.2f}")


def amount_from(written: str) -> Decimal:
    """A number with kopecks as it is written, its thousands apart or not."""
    digits = re.sub(r"[^0-9]", "", written)
    return Decimal(f"{digits[:-2] or '0'}.{digits[-2:]}")
