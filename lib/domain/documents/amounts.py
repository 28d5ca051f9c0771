"""What a document says is to be paid, and the VAT in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from lib.domain.documents.fields import Sum, Value
from lib.domain.documents.finds import Found
from lib.domain.documents.sheets import Sheet
from lib.domain.money_words import CURRENCIES

# The surest first; of one kind the last on the pages counts.
_TOTALS = (
    ("всего к оплате", "итого к оплате", "сумма к оплате", "total due", "amount due"),
    ("итого с ндс", "всего с ндс", "с учетом ндс", "включая ндс"),
    ("к оплате", "всего", "на сумму", "total"),
    ("итого", "общая стоимость", "сумма"),
)
_VAT = ("ндс", "налог на добавленную стоимость", "vat")
_RATE = re.compile(r"[\s(:]{0,3}(?:по ставке |at )?([0-9]{1,2})(?:[.,]00?)?\s?%")
_NO_VAT = re.compile(r"без\W{0,3}(?:налога\W{0,3})?$", re.IGNORECASE)
# «12 345», «12 345-00»: a sum without kopecks is one only where a total must stand.
_WHOLE = re.compile(
    r"(?<![0-9.,])([0-9]{1,3}(?:[ \u00a0][0-9]{3})+|[0-9]{1,9})(?:[-=]([0-9]{2}))?(?![0-9%]|\s%)"
)
RATES = (20, 22, 10, 18, 5, 7)
NEAR = Decimal("0.02")
ROWS_NEAR = 4  # a VAT that nothing names stands so near its total
LEADS, TRAILS = 4, 12  # characters around a sum that may name its currency


@dataclass(frozen=True, slots=True)
class Amounts:
    """The sum to pay, the VAT in it and its rate in percent; None: not said."""

    total: Sum | None = None
    vat: Sum | None = None
    rate: Value | None = None


def amounts_of(sheet: Sheet) -> Amounts:
    """What is to be paid by a document."""
    found = _total(sheet)
    if found is None:
        return Amounts()
    total, is_added = found
    vat, rate, is_named = _vat(sheet, total)
    fits = vat is not None and _fits(Decimal(total.value), Decimal(vat.value), rate and rate[0])
    written = (
        sheet.written(rate[1], rate[2], str(rate[0]), is_proven=fits) if rate is not None else None
    )
    is_proven = fits or is_added
    # What is to be paid is the largest sum there: «итого» without VAT is not.
    is_largest = all(Decimal(each.value) <= Decimal(total.value) for each in sheet.of("amount"))
    return Amounts(
        total=sum_of(sheet, total, is_proven, is_doubtful=not (is_proven or is_largest)),
        vat=sum_of(sheet, vat, fits and is_named, not fits) if vat else None,
        rate=written,
    )


def sum_of(sheet: Sheet, found: Found, is_proven: bool = False, is_doubtful: bool = False) -> Sum:
    """A sum that was found, with the currency that stands beside it, or anywhere on the pages."""
    value = sheet.written(found.start, found.end, found.value, is_proven, is_doubtful)
    return Sum(**value.model_dump(), currency=_currency(sheet.plain, found))


def _total(sheet: Sheet) -> tuple[Found, bool] | None:
    """The sum to pay, and whether it is the sum of others in its row."""
    for labels in _TOTALS:
        for start, end in reversed(sheet.labels(*labels)):
            sums = _sums_after(sheet, end)
            label = sheet.text[start:end].casefold()
            between = sheet.text[end : sums[0].start] if sums else ""
            if not sums or (_is_of_vat(between) and "ндс" not in label):
                continue
            values = [Decimal(each.value) for each in sums]
            if len(values) > 2 and values[0] + values[1] == values[2]:
                return sums[2], True
            return sums[0], False
    return None


def _is_of_vat(between: str) -> bool:
    return re.search(r"(?<!\w)НДС(?!\w)", between, re.IGNORECASE) is not None


def _sums_after(sheet: Sheet, end: int) -> list[Found]:
    stop = sheet.rows.row_end(end)
    sums = sheet.of("amount", end, stop)
    if sums:
        return sums
    taken = [(each.start, each.end) for each in sheet.found]
    return [
        Found("amount", *match.span(), f"{re.sub(r'[^0-9]', '', match[1])}.{match[2] or '00'}")
        for match in _WHOLE.finditer(sheet.text, end, stop)
        if all(match.end() <= start or match.start() >= ends for start, ends in taken)
        and len(match[1]) > 2
    ]


def _vat(sheet: Sheet, total: Found) -> tuple[Found | None, tuple[int, int, int] | None, bool]:
    """The VAT in a sum, its rate with its place, and whether the word stands before it."""
    whole = Decimal(total.value)
    named = list(_named_vat(sheet, total))
    fitting = [one for one in named if _fits(whole, Decimal(one[0].value), one[1] and one[1][0])]
    if chosen := (fitting or named):
        return *chosen[-1], True
    if any(_NO_VAT.search(sheet.text[:start][-20:]) for start, _ in sheet.labels(*_VAT)):
        return None, None, False
    first = last = total.start
    for _ in range(ROWS_NEAR):
        first = max(0, sheet.rows.row_start(first) - 2)
        last = sheet.rows.row_end(min(len(sheet.text), last + 2))
    for each in sheet.of("amount", first, last):
        if _fits(whole, Decimal(each.value), None):
            return each, None, False
    return None, None, False


def _named_vat(sheet: Sheet, total: Found) -> Iterator[tuple[Found, tuple[int, int, int] | None]]:
    for start, end in sheet.labels(*_VAT):
        if _NO_VAT.search(sheet.text[max(0, start - 20) : start]):
            continue
        rate = _RATE.match(sheet.text, end)
        for each in sheet.of("amount", end, sheet.rows.row_end(end)):
            if each.start != total.start and Decimal(each.value) < Decimal(total.value):
                yield each, (int(rate[1]), rate.start(1), rate.end(1)) if rate else None
                break


def _fits(total: Decimal, vat: Decimal, rate: int | None) -> bool:
    """Whether a VAT of this rate, or of any there is, is in the sum."""
    rates = RATES if rate is None else (rate,)
    return any(abs(total * each / (100 + each) - vat) <= NEAR for each in rates if each)


def _currency(text: str, found: Found) -> str:
    beside = text[found.start : found.end + TRAILS], text[max(0, found.start - LEADS) : found.end]
    return next((code for near in (*beside, text) if (code := _first_currency(near))), "RUB")


def _first_currency(text: str) -> str | None:
    found = [
        (match.start(), code)
        for pattern, code in CURRENCIES
        if (match := re.search(rf"(?<![^\W\d_])(?:{pattern})", text, re.IGNORECASE))
    ]
    return min(found)[1] if found else None
