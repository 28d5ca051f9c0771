"""Who sells and who buys: names and tax numbers, and the bank where money is to go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lib.domain.documents.fields import Bank, Party, Value
from lib.domain.documents.finds import Found, Kind
from lib.domain.documents.labels import labels_in
from lib.domain.documents.sheets import Sheet

Side = Literal["seller", "buyer"]

_LABELS: dict[Side, tuple[str, ...]] = {
    "seller": (
        *("поставщик", "продавец", "исполнитель", "подрядчик", "получатель", "арендодатель"),
        *("грузоотправитель", "seller", "from"),
    ),
    "buyer": (
        *("покупатель", "заказчик", "плательщик", "арендатор", "грузополучатель", "buyer"),
        *("bill to",),
    ),
}
_OF: dict[Kind, tuple[str, ...]] = {
    "account": ("р с", "к с", "сч", "счет"),
    "bik": ("бик",),
    "inn": ("инн", "инн кпп"),
    "kpp": ("кпп",),
    "ogrn": ("огрн", "огрнип"),
}
_NAME = r"[А-ЯЁ][а-яё]{1,24}(?:-[А-ЯЁ][а-яё]{1,24})?"
_COMPANY = re.compile(
    r"(?<!\w)(?:(?:ООО|ОАО|ЗАО|ПАО|АО|НКО|АНО|МУП|ФГУП|LLC|Ltd|(?i:общество с ограниченной"
    r" ответственностью|(?:публичное |закрытое |открытое )?акционерное общество))\s{1,2}"
    r"(?:[«\"“„'][^«»\"“”„'\n]{2,80}[»\"”“']|[А-ЯЁA-Z][\w-]{1,40})"
    rf"|(?:ИП|(?i:индивидуальный предприниматель))\s{{1,2}}{_NAME}"
    rf"(?:\s(?:{_NAME}(?:\s{_NAME})?|[А-ЯЁ]\.\s?[А-ЯЁ]\.))?)"
)
_BANK = re.compile(
    r"(?<!\w)(?:(?:ПАО|АО|ООО)\s)?(?:[«\"“][^«»\"“”\n]{0,30}банк[^«»\"“”\n]{0,30}[»\"”]"
    r"|(?:[А-ЯЁ][\w-]{1,20}\s)?(?i:банк)\s[«\"“][^«»\"“”\n]{2,40}[»\"”]|(?:[А-ЯЁ]+|[А-ЯЁ][а-яё-]+)?[Бб](?:анк|АНК)[^\W\d]*"
    r"|[А-ЯЁ]{2,15}БАНК)",
)
LABEL_CHARS = 30


@dataclass(frozen=True, slots=True)
class _Label:
    start: int
    end: int
    side: Side


class Parties:
    """The sides of a deal, each with what stands behind its label or in its column."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        labels = [
            _Label(*ends, side) for side, words in _LABELS.items() for ends in sheet.labels(*words)
        ]
        self._labels = sorted(labels, key=lambda label: label.start)

    def party(self, side: Side) -> Party:
        """One of them; what stands before all labels is the seller's."""
        return Party(
            name=self._name(side),
            inn=self._number(side, "inn"),
            kpp=self._number(side, "kpp"),
            ogrn=self._number(side, "ogrn"),
        )

    def bank(self) -> Bank:
        """Where the seller's money is to go."""
        accounts = self._sheet.of("account")
        own = [each for each in accounts if not each.value.startswith("301")]
        theirs = [each for each in accounts if each.value.startswith("301")]
        name = _BANK.search(self._sheet.plain)
        return Bank(
            account=self._best(own),
            correspondent_account=self._best(theirs),
            bik=self._best(self._sheet.of("bik")),
            name=self._sheet.written(*name.span()) if name else None,
        )

    def _best(self, found: Sequence[Found]) -> Value | None:
        """The proven and labelled before others, then the seller's; a rival makes doubt."""
        if not found:
            return None
        best = max(found, key=lambda each: (*self._worth(each), self._nearness(each)))
        rivals = any(
            each.value != best.value
            and self._worth(each) == self._worth(best)
            and self._nearness(each) >= self._nearness(best) - 1
            for each in found
        )
        return self._sheet.value(best, rivals)

    def _number(self, side: Side, kind: Kind) -> Value | None:
        """That behind the side's label; before any label it is the seller's."""
        behind = [each for each in self._sheet.of(kind) if self._side_at(each.start) == side]
        if side == "seller":
            behind += [each for each in self._sheet.of(kind) if self._side_at(each.start) is None]
        if not behind:
            return None
        best = max(behind, key=self._worth)
        rivals = any(
            each.value != best.value and self._worth(each) == self._worth(best) for each in behind
        )
        return self._sheet.value(best, rivals)

    def _worth(self, found: Found) -> tuple[bool, bool]:
        """Whether check digits prove it, and whether its label stands before it."""
        text, first = self._sheet.text, max(0, found.start - LABEL_CHARS)
        is_labelled = any(
            not re.search(r"\d", text[first + end : found.start])
            for _, end in labels_in(text[first : found.start], _OF[found.kind])
        )
        return self._sheet.value(found).is_proven, is_labelled

    def _nearness(self, found: Found) -> int:
        """Of the seller 2, of nobody 1, of the buyer 0."""
        return {"seller": 2, None: 1, "buyer": 0}[self._side_at(found.start)]

    def _name(self, side: Side) -> Value | None:
        for label in self._labels:
            if label.side != side:
                continue
            for match in _COMPANY.finditer(self._sheet.plain, label.end):
                if self._side_at(match.start()) == side:
                    return self._sheet.written(*match.span())
                break
        for match in _COMPANY.finditer(self._sheet.plain):
            if self._side_at(match.start()) == side or (side == "seller" and not self._labels):
                return self._sheet.written(*match.span())
        return None

    def _side_at(self, at: int) -> Side | None:
        """Whose a place is: of the label before it; of two in one row that of its column."""
        before = [label for label in self._labels if label.start <= at]
        if not before:
            return None
        last = before[-1]
        row = self._sheet.rows.row_start(last.start)
        beside = [label for label in before if label.start >= row]
        if len({label.side for label in beside}) < 2:
            return last.side
        left = self._sheet.rows.place(at, at + 1).box.left
        columns = [
            (self._sheet.rows.place(label.start, label.end).box, label.side) for label in beside
        ]
        height = columns[0][0].height
        reached = [(box.left, side) for box, side in columns if box.left <= left + height]
        return max(reached)[1] if reached else columns[0][1]
