from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.money import LARGEST, Money, amount_in, sums_in

from .making import any_text


def money(amount: str, currency: str = "RUB") -> Money:
    return Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 млн", money("5000000")),
        ("1,5 млн руб", money("1500000")),
        ("1.5млн.", money("1500000")),
        ("300 тыс", money("300000")),
        ("300к", money("300000")),
        ("500 т.р.", money("500000")),
        ("5 000 000 ₽", money("5000000")),
        ("5\u00a0000\u00a0000 рублей", money("5000000")),
        ("5.000.000 руб", money("5000000")),
        ("1,500,000 usd", money("1500000", "USD")),
        ("$20k", money("20000", "USD")),
        ("20 000 EUR", money("20000", "EUR")),
        ("полтора миллиона", money("1500000")),
        ("полмиллиона", money("500000")),
        ("миллион рублей", money("1000000")),
        ("сто пятьдесят тысяч рублей", money("150000")),
        ("два миллиона", money("2000000")),
        ("10 лямов", money("10000000")),
        ("2 млн 300 тыс", money("2300000")),
        ("от 3 до 5 млн", money("5000000")),
        ("3-5 млн", money("5000000")),
        ("от 3 млн до 5 млн", money("5000000")),
        ("100 000 – 200 000", money("200000")),
        ("кредит на 5 000 000", money("5000000")),
        ("кредит 750500", money("750500")),
        ("500000", money("500000")),
        ("12,50 руб", money("12.50")),
        ("1 млрд", money("1000000000")),
        ("5 000 000 8 916 123-45-67", money("5000000")),
    ],
)
def test_sums(text: str, expected: Money) -> None:
    assert sums_in(text) == [expected]
    assert amount_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "8 916 123 45 67",
        "+79161230000",
        "тел. 9161234000",
        "ИНН 7707083000",
        "счёт 40817810099910000000",
        "4276 8380 1234 5000",
        "в 2024 году",
        "31.12.2024",
        "под 12% на 36 месяцев",
        "пробег 100 тыс. км",
        "5 млн подписчиков",
        "приду в 5 к вам",
        "индекс 125000",
        "договор № 123000",
        "0 млн",
        "50 м2, 3 этаж",
    ],
)
def test_what_is_no_sum(text: str) -> None:
    assert sums_in(text) == []


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("Нужен кредит 3 млн, доход 150 тыс", "3000000"),
        ("Доход 10 млн в год, нужен кредит 3 млн", "3000000"),
        ("Оборот 50 млн, хочу взять 5 млн", "5000000"),
        ("Квартира 10 млн, взнос 2 млн", "10000000"),
        ("Плачу 80 тыс в месяц, ипотека 4 млн", "4000000"),
        ("Ежемесячный платёж 30 тыс, сумма 900 тыс", "900000"),
    ],
)
def test_the_sum_that_is_meant(text: str, amount: str) -> None:
    assert amount_in(text) == money(amount)


@given(st.integers(10_000, 999_999_999), st.sampled_from([" ", "\u00a0", ""]))
def test_a_sum_in_roubles_is_read_back(amount: int, gap: str) -> None:
    assert sums_in(f"Нужно {amount:,} ₽".replace(",", gap)) == [money(str(amount))]


@given(st.text(st.sampled_from("0123456789 .,-$₽к млнтысруборотдо\u00a0"), max_size=60) | any_text)
@settings(max_examples=300)
def test_sums_are_sane(text: str) -> None:
    found = sums_in(text)
    assert all(0 < each.amount < LARGEST for each in found)
    assert all(each.amount == each.amount.quantize(Decimal("0.01")) for each in found)
    assert (amount_in(text) in found) if found else (amount_in(text) is None)
