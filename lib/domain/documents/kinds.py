"""What kind of document pages are, by the words on them."""

from __future__ import annotations

import re
from typing import Literal

from lib.domain.documents.finds import found_in
from lib.domain.documents.labels import has_label
from lib.domain.documents.scripts import as_cyrillic

Kind = Literal["invoice", "act", "passport", "card", "chat", "price_list", "other"]

# Of each kind what says so almost alone (its title), and what goes along with it.
_TITLES: dict[Kind, tuple[str, ...]] = {
    "invoice": ("счет на оплату", "счет фактура", "счет", "invoice"),
    "act": (
        *("акт", "акт выполненных работ", "акт сдачи приемки", "акт приема передачи"),
        *("акт об оказании услуг", "акт оказанных услуг"),
    ),
    "passport": ("паспорт выдан", "паспорт гражданина", "код подразделения", "место рождения"),
    "card": (
        *("карточка предприятия", "карточка организации", "карточка контрагента"),
        *("карточка клиента", "карта партнера", "реквизиты организации", "банковские реквизиты"),
    ),
    "price_list": ("прайс лист", "прайс", "price list", "прейскурант"),
}
_BESIDES: dict[Kind, tuple[str, ...]] = {
    "invoice": ("поставщик", "покупатель", "плательщик", "к оплате", "банк получателя", "bill to"),
    "act": ("исполнитель", "заказчик", "выполнены полностью", "претензий", "оказаны", "работы"),
    "passport": ("фамилия", "имя", "отчество", "российская федерация", "дата выдачи", "пол"),
    "card": ("огрн", "директор", "юридический адрес", "бик", "полное наименование", "менеджер"),
    "chat": (
        *("был в сети", "была в сети", "в сети", "печатает", "сегодня", "вчера", "сообщение"),
        *("online", "участников", "подписчиков"),
    ),
    "price_list": ("цена", "наименование", "артикул", "розница", "опт", "price", "ед изм"),
}
TITLE, BESIDE, ENOUGH = 3.0, 1.0, 3.0
TITLE_CHARS = 400  # a title stands at the beginning; further down other papers are spoken of
NUMBERED = re.compile(r"(?:№|\bN[oоº°]?\.?|#)\s{0,2}[\w/-]*\d", re.IGNORECASE)
_TIME = re.compile(r"(?<![\d:.,])(?:[01]?\d|2[0-3]):[0-5]\d(?![\d:])")
_MRZ = re.compile(r"P[N<]RUS[A-Z0-9<]{10,}")


def kind_of(text: str) -> tuple[Kind, float]:
    """The kind of a document, and how sure that is, 0 to 1.

    Args:
        text: of its pages, row by row.
    """
    points: dict[Kind, float] = {kind: _points(text, kind) for kind in _BESIDES}
    best = max(_BESIDES, key=lambda kind: points[kind])
    if points[best] < ENOUGH:
        return "other", round(1 - points[best] / (2 * ENOUGH), 2)
    second = max(value for kind, value in points.items() if kind != best)
    return best, round(min(0.99, points[best] / (points[best] + second + 1)), 2)


def _points(text: str, kind: Kind) -> float:
    head = text[:TITLE_CHARS]
    points = TITLE if has_label(head, *_TITLES.get(kind, ())) else 0.0
    points += BESIDE * sum(has_label(text, label) for label in _BESIDES[kind])
    if kind in ("invoice", "act"):
        # «Акт № 5» is one, «по акту» is spoken of; an account in «счёт № 40702…» makes no invoice.
        points += 1.0 if points > TITLE and NUMBERED.search(text) else 0.0
    elif kind == "passport":
        points += TITLE if _MRZ.search(text.replace(" ", "")) else 0.0
    elif kind == "chat":
        points += min(4.0, float(len(_TIME.findall(text))))
    elif kind == "card":
        points += _is_of_a_card(text)
    elif kind == "price_list":
        sums = sum(each.kind == "amount" for each in found_in(as_cyrillic(text)))
        points += 1.0 if sums >= 4 else 0.0
    return points


def _is_of_a_card(text: str) -> float:
    """A visiting card: little text, and ways to reach somebody."""
    if len(text) > 400:
        return 0.0
    kinds = {each.kind for each in found_in(text)}
    return 1.5 * len(kinds & {"phone", "email"}) - 2.0 * ("amount" in kinds) + 0.5
