"""Numbers with check digits, dates, sums, phones and e-mails of a page."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.documents.dates import dates_in
from lib.domain.documents.finds import amount_from, found_in, found_on
from lib.domain.requisites import is_account, is_bik, is_inn, is_kpp, is_ogrn
from tests.domain.documents.making import line

INVOICE = """Счёт № 1234 от «15» марта 2026 г.
Поставщик: ООО «Ромашка», ИНН/КПП 7707083893/773601001, ОГРН 1027700132195
р/с 4070 2810 9000 0000 0001, к/с 30101810400000000225, БИК 044525225
ИП Петров, ИНН 500100732259, тел. +7 916 123-45-67, buh@romashka.ru
Всего 12 345,67 руб., в том числе НДС 20% — 2 057,61; аванс 5 000 руб. до 01.04.2026"""

DIGITS = st.text("0123456789", min_size=1, max_size=21)


def test_all_of_an_invoice() -> None:
    assert [(each.kind, each.value, each.is_proven) for each in found_in(INVOICE)] == [
        ("date", "2026-03-15", False),
        ("inn", "7707083893", True),
        ("kpp", "773601001", False),
        ("ogrn", "1027700132195", True),
        ("account", "40702810900000000001", False),
        ("account", "30101810400000000225", True),
        ("bik", "044525225", False),
        ("inn", "500100732259", True),
        ("phone", "+79161234567", False),
        ("email", "buh@romashka.ru", False),
        ("amount", "12345.67", False),
        ("amount", "2057.61", False),
        ("amount", "5000.00", False),
        ("date", "2026-04-01", False),
    ]


def test_numbers_of_two_cells_are_never_one() -> None:
    row = [line("ИНН"), line("7707083893", 60), line("773601001", 240), line("10", 400)]
    found = found_on([*row, line("350,00", 500), line("КПП 773601001", top=40)])
    assert [(each.kind, each.value, box.left) for each, box in found] == [
        ("inn", "7707083893", 60),
        ("amount", "350.00", 500),
        ("kpp", "773601001", 48),
    ]


def test_an_inn_that_was_misread_is_found_and_not_proven() -> None:
    (found,) = found_in("ИНН 7707083898")
    assert (found.kind, found.value, found.is_proven) == ("inn", "7707083898", False)
    assert found_in("7707083898") == []


@given(
    st.lists(st.one_of(DIGITS, st.sampled_from(INVOICE.split()), st.text(max_size=9))).map(" ".join)
)
def test_finds_lie_in_the_text_and_never_on_each_other(text: str) -> None:
    found = found_in(text)
    for each, following in itertools.pairwise(found):
        assert each.end <= following.start
    for each in found:
        assert 0 <= each.start < each.end <= len(text)
        if each.kind in ("inn", "ogrn", "bik", "account"):
            assert each.value == "".join(
                c for c in text[each.start : each.end] if c in "0123456789"
            )


@pytest.mark.parametrize("inn", ["7707083893", "500100732259", "7736207543"])
def test_one_wrong_digit_of_an_inn_is_noticed(inn: str) -> None:
    assert is_inn(inn)
    for place, digit in enumerate(inn):
        others = [
            inn[:place] + other + inn[place + 1 :] for other in "0123456789" if other != digit
        ]
        # 10 and 0 share a check digit, so a few of them pass: one in eleven.
        assert sum(map(is_inn, others)) <= 1


@given(DIGITS)
def test_numbers_of_another_length_are_none(digits: str) -> None:
    assert not is_inn(digits) or len(digits) in (10, 12)
    assert not is_ogrn(digits) or len(digits) in (13, 15)
    assert not is_bik(digits) or len(digits) == 9
    assert not is_account(digits, "044525225") or len(digits) == 20


@given(st.text(max_size=22))
def test_no_text_breaks_the_checks(text: str) -> None:
    for check in (is_inn, is_ogrn, is_bik, is_kpp):
        check(text)
    is_account(text, text)


@pytest.mark.parametrize("place", range(20))
def test_one_wrong_digit_of_an_account_is_noticed(place: int) -> None:
    account = "30101810400000000225"
    assert is_account(account, "044525225")
    wrong = str((int(account[place]) + 1) % 10)
    assert not is_account(account[:place] + wrong + account[place + 1 :], "044525225")


def test_numbers_of_real_kinds() -> None:
    assert is_ogrn("1027700132195")
    assert is_ogrn("304500116000157")
    assert not is_ogrn("1027700132196")
    assert is_kpp("773601001")
    assert is_kpp("7736AB001")
    assert not is_kpp("77360100")
    assert not is_inn("0000000000")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("от 15 марта 2026 г.", date(2026, 3, 15)),
        ("«01» мая 2026", date(2026, 5, 1)),
        ("15.03.2026", date(2026, 3, 15)),
        ("2026-03-15", date(2026, 3, 15)),
        ("March 15, 2026", date(2026, 3, 15)),
        ("3 November 2026", date(2026, 11, 3)),
        ("31.02.2026", None),
        ("1234 рублей 2026", None),
        ("192.168.1.2026", None),
    ],
)
def test_days(text: str, day: date | None) -> None:
    assert [found for _, _, found in dates_in(text)] == ([day] if day else [])


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("12 345,67", "12345.67"),
        ("1,234.56", "1234.56"),
        ("0,50", "0.50"),
        ("1'000'000,00", "1000000.00"),
    ],
)
def test_sums_with_kopecks(written: str, amount: str) -> None:
    assert amount_from(written) == Decimal(amount)
    assert [each.value for each in found_in(f"Итого {written}")] == [amount]


def test_percents_and_versions_are_no_sums() -> None:
    assert found_in("НДС 20,00% и 12.50 %, версия 1.10.25") == []
