"""The form of a document filled in by rules alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from lib.domain.documents import finds
from lib.domain.documents.amounts import amounts_of, sum_of
from lib.domain.documents.cleaning import Cleaned
from lib.domain.documents.fields import (
    Act,
    Card,
    Chat,
    Fields,
    Form,
    Invoice,
    Item,
    Other,
    Party,
    Passport,
    PriceList,
    Sum,
    Value,
)
from lib.domain.documents.kinds import NUMBERED, Kind, kind_of
from lib.domain.documents.parties import Parties
from lib.domain.documents.sheets import Sheet

PAGES_READ = 20  # of a document: its fields stand on the first ones

_TITLES = ("счет на оплату", "счет фактура", "счет", "invoice", "акт")
_TITLE_CHARS, _DATE_CHARS = 60, 60
_DUE = re.compile(r"(?:\bдо|не позднее|срок\W{0,3}оплаты\W{0,3})\s{0,3}$", re.IGNORECASE)
_NAME = r"[А-ЯЁ][а-яё]{1,24}(?:-[А-ЯЁ][а-яё]{1,24})?"
_PERSON = re.compile(
    rf"(?<![\w-]){_NAME}[ \n](?:{_NAME}[ \n][А-ЯЁ][а-яё]{{1,20}}(?:вич|вна|чна)"
    r"|[А-ЯЁ]\.[ ]?[А-ЯЁ]\.)(?!\w)"
)
_PASSPORT = re.compile(r"(?<![0-9])([0-9]{2})\s?([0-9]{2})\s{0,2}(?:№\s?)?([0-9]{6})(?![0-9])")
_DEPARTMENT = re.compile(r"(?<![0-9])[0-9]{3}\s?[-–—]\s?[0-9]{3}(?![0-9])")
_LETTERS = re.compile(r"[^\W\d_]{2}")


def form_of(pages: Sequence[Cleaned]) -> Form:
    """The kind of a document and its fields; of a long one the first ``PAGES_READ`` pages count.

    Args:
        pages: in order, cleaned up or not.
    """
    sheet = Sheet(pages[:PAGES_READ])
    kind, sure = kind_of(sheet.text)
    return Form(kind_confidence=sure, fields=_READ[kind](sheet))


def _invoice(sheet: Sheet) -> Invoice:
    return Invoice(kind="invoice", bank=Parties(sheet).bank(), **_deal(sheet))


def _act(sheet: Sheet) -> Act:
    return Act(kind="act", **_deal(sheet))


def _deal(sheet: Sheet) -> dict[str, Any]:
    """What an invoice and an act both say."""
    amounts, parties = amounts_of(sheet), Parties(sheet)
    number, date = _heading(sheet)
    return {
        "number": number,
        "date": date,
        "seller": parties.party("seller"),
        "buyer": parties.party("buyer"),
        "total": amounts.total,
        "vat": amounts.vat,
        "vat_rate": amounts.rate,
    }


def _heading(sheet: Sheet) -> tuple[Value | None, Value | None]:
    """The number and the day of a document's title; or the first day that is no term."""
    for _, end in sheet.labels(*_TITLES):
        number = NUMBERED.search(sheet.text, end, end + _TITLE_CHARS)
        if number is None or re.fullmatch(r"\D*(?:\d\s?){20}.*", number.group()):
            continue
        written = re.match(r"(?:№|N[oоº°]?\.?|#)\s{0,2}([\w/-]+)", number.group(), re.IGNORECASE)
        if written is None:
            continue
        start = number.start() + written.start(1)
        stop = re.compile(r"[\w/-]*").match(sheet.text, number.end())
        ends = stop.end() if stop else number.end()
        dates = sheet.of("date", ends, ends + _DATE_CHARS)
        day = sheet.value(dates[0]) if dates else _first_day(sheet, is_of_title=False)
        return sheet.written(start, ends), day
    return None, _first_day(sheet, is_of_title=False)


def _first_day(sheet: Sheet, is_of_title: bool = True) -> Value | None:
    """The first day that is no term of payment; doubtful of several, and where a title has none."""
    days = [
        each
        for each in sheet.of("date")
        if not _DUE.search(sheet.text[max(0, each.start - 20) : each.start])
    ]
    rivals = not is_of_title or len({day.value for day in days}) > 1
    return sheet.value(days[0], rivals) if days else None


def _passport(sheet: Sheet) -> Passport:
    number, department = _PASSPORT.search(sheet.text), _DEPARTMENT.search(sheet.text)
    return Passport(
        kind="passport",
        number=number and sheet.written(*number.span(), "".join(number.groups())),
        surname=_named(sheet, "фамилия"),
        name=_named(sheet, "имя"),
        patronymic=_named(sheet, "отчество"),
        born_at=_day(sheet, "дата рождения"),
        birthplace=_named(sheet, "место рождения"),
        issued_at=_day(sheet, "дата выдачи"),
        issued_by=_named(sheet, "паспорт выдан", "кем выдан"),
        department=department
        and sheet.written(*department.span(), re.sub(r"[^0-9]+", "-", department.group())),
    )


def _named(sheet: Sheet, *labels: str) -> Value | None:
    for _, end in sheet.labels(*labels):
        if (said := sheet.after(end)) and _LETTERS.search(sheet.text[slice(*said)]):
            return sheet.written(*said)
    return None


def _day(sheet: Sheet, label: str) -> Value | None:
    for _, end in sheet.labels(label):
        if (said := sheet.after(end)) and (days := sheet.of("date", *said)):
            return sheet.value(days[0])
    return None


def _card(sheet: Sheet) -> Card:
    parties = Parties(sheet)
    company = parties.party("seller")
    first = {each.kind: sheet.value(each) for each in reversed(sheet.found)}
    return Card(
        kind="card",
        company=Party(
            name=company.name,
            inn=company.inn or first.get("inn"),
            kpp=company.kpp or first.get("kpp"),
            ogrn=company.ogrn or first.get("ogrn"),
        ),
        bank=parties.bank(),
        names=_names(sheet),
        phones=_all(sheet, "phone"),
        emails=_all(sheet, "email"),
    )


def _price_list(sheet: Sheet) -> PriceList:
    items = []
    for piece_end in _row_ends(sheet):
        start = sheet.rows.row_start(piece_end)
        sums = sheet.of("amount", start, piece_end)
        words = _LETTERS.search(sheet.text, start, sums[0].start if sums else start)
        if not sums or words is None:
            continue
        name = sheet.text[words.start() : sums[0].start].split("\n")[0].rstrip(" .:–—-")
        items.append(
            Item(
                name=sheet.written(words.start(), words.start() + len(name)),
                price=sum_of(sheet, sums[-1]),
            )
        )
    return PriceList(kind="price_list", date=_first_day(sheet), items=tuple(items))


def _row_ends(sheet: Sheet) -> list[int]:
    return sorted({sheet.rows.row_end(piece.end) for piece in sheet.rows.pieces})


def _chat(sheet: Sheet) -> Chat:
    return Chat(
        kind="chat",
        names=_names(sheet),
        phones=_all(sheet, "phone"),
        emails=_all(sheet, "email"),
        dates=_all(sheet, "date"),
        sums=_sums(sheet),
    )


def _other(sheet: Sheet) -> Other:
    return Other(
        kind="other",
        names=_names(sheet),
        phones=_all(sheet, "phone"),
        emails=_all(sheet, "email"),
        inns=_all(sheet, "inn"),
        dates=_all(sheet, "date"),
        sums=_sums(sheet),
    )


def _all(sheet: Sheet, kind: finds.Kind) -> tuple[Value, ...]:
    return tuple(map(sheet.value, sheet.of(kind)))


def _sums(sheet: Sheet) -> tuple[Sum, ...]:
    return tuple(sum_of(sheet, each) for each in sheet.of("amount"))


def _names(sheet: Sheet) -> tuple[Value, ...]:
    """Full names of people, as documents write them: «Иванов Иван Иванович», «Петров И. И.»."""
    return tuple(sheet.written(*match.span()) for match in _PERSON.finditer(sheet.plain))


_READ: dict[Kind, Callable[[Sheet], Fields]] = {
    "invoice": _invoice,
    "act": _act,
    "passport": _passport,
    "card": _card,
    "price_list": _price_list,
    "chat": _chat,
    "other": _other,
}
