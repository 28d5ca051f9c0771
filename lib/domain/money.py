"""Sums in a text: «5 млн», «1,5 млн руб», «300 тыс», «5 000 000 ₽», «$20k», «полтора миллиона»."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from lib.domain.contacts import HOME, phone_spans
from lib.domain.money_words import (
    A_MONTH,
    ASIDE,
    COUNTED,
    COUNTED_IN_MILLIONS,
    CURRENCIES,
    IN_DIGITS,
    IN_WORDS,
    LETTER_SCALES,
    MONEY_WORD,
    NUMBERED,
    RANGE_JOINT,
    SCALES,
    SPACE,
    WANTED,
    WORDS,
)

LARGEST = Decimal(10) ** 12

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Money:
    """A sum: ``amount`` in whole units of ``currency`` (ISO 4217), above 0, below 10¹²."""

    amount: Decimal
    currency: str = "RUB"


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    money: Money


def sums_in(text: str) -> list[Money]:
    """The sums in a text, in the order they come; of a range the upper end.

    Args:
        text: a person's words.

    Returns:
        Each sum once. A bare number counts when it is large and round, or follows a word of
        money; phones, dates, terms, percents and areas never do. Without a currency: RUB.
    """
    return list(dict.fromkeys(money for _, _, money in sum_spans(text)))


def sum_spans(text: str) -> list[tuple[int, int, Money]]:
    """Where the sums of `sums_in` stand: (start, end, sum), in order."""
    return [(found.start, found.end, found.money) for found in _found_in(text)]


def amount_in(text: str) -> Money | None:
    """The sum that is asked for: not the income, the instalment or the deposit beside it."""
    best: tuple[int, Decimal] = (-1, Decimal(0))
    chosen: Money | None = None
    previous_end = 0
    for each in _found_in(text):
        clause = text[max(previous_end, each.start - 60) : each.start]
        rank = 0 if A_MONTH.match(text, each.end) else _rank(clause)
        if (rank, each.money.amount) > best:
            best, chosen = (rank, each.money.amount), each.money
        previous_end = each.end
    return chosen


def _rank(clause: str) -> int:
    """How likely the sum after these words is the one asked for: the nearest word decides."""
    wanted = max((match.start() for match in WANTED.finditer(clause)), default=-1)
    aside = max((match.start() for match in ASIDE.finditer(clause)), default=-1)
    if aside > wanted:
        return 0
    return 2 if wanted > aside else 1


def _found_in(text: str) -> list[_Found]:
    phones = phone_spans(text, HOME)
    found: list[_Found] = []
    end = 0
    for each in sorted((*_in_digits(text), *_in_words(text)), key=lambda one: one.start):
        is_phone = any(each.start < stop and each.end > start for start, stop, _ in phones)
        if each.start >= end and not is_phone:
            end = each.end
            _join(text, found, each)
    return found


def _join(text: str, found: list[_Found], each: _Found) -> None:
    """Add a sum; «2 млн 300 тыс» becomes one, and a range keeps its upper end."""
    if found and found[-1].money.currency == each.money.currency:
        last = found[-1]
        between = text[last.end : each.start]
        million = Decimal(10) ** 6
        is_tail = last.money.amount % million == 0 and each.money.amount < million
        if is_tail and re.fullmatch(rf"{SPACE}(?:и{SPACE})?", between):
            total = Money(last.money.amount + each.money.amount, each.money.currency)
            found[-1] = _Found(last.start, each.end, total)
            return
        if last.money.amount <= each.money.amount and RANGE_JOINT.fullmatch(between):
            found[-1] = _Found(last.start, each.end, each.money)
            return
    found.append(each)


def _in_digits(text: str) -> Iterator[_Found]:
    for match in IN_DIGITS.finditer(text):
        is_scaled = bool(match["scale"] or match["letter"])
        is_money = bool(match["before"] or match["after"])
        before = text[max(0, match.start("number") - 50) : match.start("number")]
        if not (is_scaled or is_money) and not _is_bare_sum(match["number"], before):
            continue
        if not is_money and COUNTED_IN_MILLIONS.match(text, match.end()):
            continue
        if not (is_scaled or is_money) and COUNTED.match(text, match.end()):
            continue
        scale = _look_up(SCALES, match["scale"]) or _look_up(LETTER_SCALES, match["letter"])
        amount = _number_from(match["number"], is_scaled) * (scale or 1)
        currency = _look_up(CURRENCIES, match["before"] or match["after"]) or "RUB"
        if money := _money(amount, currency):
            yield _Found(match.start(), match.end(), money)


def _in_words(text: str) -> Iterator[_Found]:
    for match in IN_WORDS.finditer(text):
        if match["half"]:
            count = WORDS["пол"]
        elif match["words"]:
            count = sum((WORDS[word] for word in match["words"].lower().split()), Decimal(0))
        elif match["scale"].lower() in ("миллион", "миллиона", "миллиард", "лям"):
            count = Decimal(1)
        else:
            continue
        if match["after"] is None and COUNTED_IN_MILLIONS.match(text, match.end()):
            continue
        amount = count * (_look_up(SCALES, match["scale"]) or 1)
        if money := _money(amount, _look_up(CURRENCIES, match["after"]) or "RUB"):
            yield _Found(match.start(), match.end(), money)


def _is_bare_sum(number: str, before: str) -> bool:
    """A number without unit is a sum when it is large and round, or money is spoken of."""
    digits = re.sub(r"[^0-9]", "", number)
    if len(digits) > 9 or digits.startswith("0") or int(digits) < 10_000:
        return False
    if NUMBERED.search(before):
        return False
    return digits.endswith("000") or MONEY_WORD.search(before) is not None


def _number_from(written: str, is_scaled: bool) -> Decimal:
    """A number as typed: spaces and apostrophes group; so do dots and commas before 3 digits."""
    written = re.sub(rf"{SPACE}|'", "", written)
    marks = re.findall(r"[.,]", written)
    if not marks:
        return Decimal(written)
    whole, _, tail = written.rpartition(marks[-1])
    is_thousand = not is_scaled and len(whole) <= 3  # «1.500 руб», but «1.500 млн»
    is_grouping = len(tail) == 3 and (len(marks) > 1 or is_thousand)
    digits = re.sub(r"[.,]", "", whole)
    return Decimal(digits + tail if is_grouping else f"{digits}.{tail}")


def _money(amount: Decimal, currency: str) -> Money | None:
    if not 0 < amount < LARGEST:
        return None
    whole = amount.to_integral_value()
    exact = whole if whole == amount else amount.quantize(Decimal("0.01"))
    return Money(exact, currency) if exact > 0 else None


def _look_up(table: tuple[tuple[str, T], ...], written: str | None) -> T | None:
    if not written:
        return None
    return next((found for pattern, found in table if re.match(pattern, written, re.I)), None)
