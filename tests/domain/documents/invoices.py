"""Russian invoices made up for tests, as the lines of a page; what stands on them is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from lib.domain.documents.pages import JoinedLine, Page
from lib.domain.requisites import is_account, is_inn
from tests.domain.documents.making import as_joined, line

MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)
NAMES = ["Ромашка", "Северный ветер", "Техно-Плюс", "Альфа", "СтройМастер 24", "Вектор М"]
GOODS = ["Бумага офисная А4", "Картридж для принтера", "Доставка по городу", "Услуги связи", "Стол"]
LOOK_ALIKE = dict(zip("АВЕКМНОРСТХаеорсух", "ABEKMHOPCTXaeopcyx", strict=True))


@dataclass(frozen=True)
class Made:
    """An invoice: its rows of (left px, text) cells, and what must be read from it."""

    rows: list[list[tuple[int, str]]]
    number: str
    day: date
    seller_inn: str
    buyer_inn: str
    account: str
    total: Decimal
    vat: Decimal | None

    def page(self) -> Page:
        lines = [
            line(text, left, 40.0 * row)
            for row, cells in enumerate(self.rows)
            for left, text in cells
        ]
        return page_of(as_joined(lines))

    def noisy(self, chance: random.Random, share: float) -> Page:
        """The same with a share of its letters misread; digits stay."""
        lines = [
            line(misread(text, chance, share), left, 40.0 * row)
            for row, cells in enumerate(self.rows)
            for left, text in cells
        ]
        return page_of(as_joined(lines))


def page_of(lines: Sequence[JoinedLine]) -> Page:
    return Page(number=1, width_px=2000, height_px=3000, lines=tuple(lines))


def misread(text: str, chance: random.Random, share: float) -> str:
    """A text in which letters became look-alikes, or any other letter."""
    return "".join(
        (LOOK_ALIKE.get(char) or chance.choice("абвгдежзиклмнопрстуцшщыьэюя"))
        if char.isalpha() and chance.random() < share
        else char
        for char in text
    )


def inn(chance: random.Random, length: int) -> str:
    """Digits of a tax number whose check digits fit."""
    while True:
        head = "77" + "".join(chance.choices("0123456789", k=length - 2))
        if is_inn(head):
            return head


def account(chance: random.Random, bik: str, head: str = "40702810") -> str:
    """An account whose key fits its bank."""
    while True:
        found = head + "".join(chance.choices("0123456789", k=12))
        if is_account(found, bik):
            return found


def money(amount: Decimal, chance: random.Random) -> str:
    """A sum as invoices write it."""
    written = f"{amount:,.2f}".replace(",", chance.choice((" ", " ", "\u00a0", "")))
    return written.replace(".", chance.choice((",", ",", ".")))


def made(seed: int) -> Made:
    """One of many invoices: of four layouts, with VAT of several rates or none."""
    chance = random.Random(seed)
    number = chance.choice([f"{seed + 1}", f"{seed}/26", f"А-{seed:04}", f"УТ-{1000 + seed}"])
    day = date(2025, 1, 1) + timedelta(days=chance.randrange(700))
    said = (
        f"{day.day} {MONTHS[day.month - 1]} {day.year} г."
        if chance.random() < 0.6
        else f"{day:%d.%m.%Y}"
    )
    is_person = chance.random() < 0.2
    seller, buyer = inn(chance, 12 if is_person else 10), inn(chance, 10)
    name = "ИП Петров Иван Сергеевич" if is_person else f"ООО «{chance.choice(NAMES)}»"
    kpp = "" if is_person else f"{seller[:4]}01001"
    bik = "044525" + chance.choice(("225", "974", "593"))
    number_of_account = account(chance, bik)
    prices = [Decimal(chance.randrange(5000, 9_000_000)) / 100 for _ in range(chance.randint(1, 4))]
    total = sum(prices, Decimal("0.00"))
    rate = chance.choice((20, 22, 10, None))
    vat = None if rate is None else (total * rate / (100 + rate)).quantize(Decimal("0.01"))
    rows: list[list[tuple[int, str]]] = []
    bank = [
        [(0, "ПАО Сбербанк г. Москва"), (900, "БИК"), (1100, bik)],
        [(0, "Банк получателя"), (900, "Сч. №"), (1100, account(chance, bik, "30101810"))],
        [
            (0, f"ИНН {seller}"),
            (450, f"КПП {kpp}" if kpp else "КПП"),
            (900, "Сч. №"),
            (1100, number_of_account),
        ],
        [(0, name)],
        [(0, "Получатель")],
    ]
    inline = f"{name}, ИНН {seller}" + (f", КПП {kpp}" if kpp else "")
    title = chance.choice(("Счет на оплату", "Счёт", "СЧЕТ", "Счет"))
    heading = [[(300, f"{title} № {number} от {said}")]]
    parties = [
        [(0, "Поставщик:"), (300, inline)],
        [
            (0, "Покупатель:"),
            (300, f"ООО «{chance.choice(NAMES)}», ИНН {buyer}, КПП {buyer[:4]}01001"),
        ],
    ]
    if chance.random() < 0.6:
        rows += bank + heading + parties
    else:
        where = f"Расчётный счёт {number_of_account} в ПАО Сбербанк, БИК {bik}"
        rows += [*heading, *parties, [(0, where)]]
    rows.append([(0, "Основание: договор № 17 от 11.11.2024")])
    rows += _goods(prices, chance) + _totals(total, vat, rate, len(prices), chance)
    rows.append([(0, f"Оплатить не позднее {day + timedelta(days=5):%d.%m.%Y}")])
    rows.append([(0, "Руководитель"), (500, "Сидоров П. А.")])
    return Made(rows, number, day, seller, buyer, number_of_account, total, vat)


def _goods(prices: Sequence[Decimal], chance: random.Random) -> list[list[tuple[int, str]]]:
    rows = [
        [
            (0, "№"),
            (100, "Товары (работы, услуги)"),
            (700, "Кол-во"),
            (900, "Цена"),
            (1150, "Сумма"),
        ]
    ]
    for place, price in enumerate(prices, 1):
        goods = chance.choice(GOODS)
        said = money(price, chance)
        rows.append([(0, str(place)), (100, goods), (700, "1 шт"), (900, said), (1150, said)])
    return rows


def _totals(
    total: Decimal, vat: Decimal | None, rate: int | None, items: int, chance: random.Random
) -> list[list[tuple[int, str]]]:
    whole = money(total, chance)
    part = money(vat, chance) if vat is not None else ""
    style = chance.randrange(3)
    if style == 0:
        with_vat = [(900, f"В том числе НДС {rate}%:"), (1250, part)]
        return [
            [(900, "Итого:"), (1250, whole)],
            with_vat if vat is not None else [(900, "Без налога (НДС)"), (1250, "-")],
            [(900, "Всего к оплате:"), (1250, whole)],
            [(0, f"Всего наименований {items}, на сумму {whole} руб.")],
        ]
    if style == 1:
        tail = f", в том числе НДС {rate}% — {part} руб." if vat is not None else ", без НДС"
        return [[(0, f"Всего к оплате: {whole} руб.{tail}")]]
    net = money(total - (vat or 0), chance)
    return [
        [(900, "Итого без НДС:" if vat is not None else "Итого:"), (1250, net)],
        [(900, f"НДС {rate}%:" if vat is not None else "НДС не облагается"), (1250, part or "—")],
        [(900, "Итого с НДС:" if vat is not None else "Итого к оплате:"), (1250, whole)],
    ]
