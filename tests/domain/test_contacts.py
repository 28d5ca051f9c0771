from __future__ import annotations

from itertools import pairwise

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.contacts import (
    HOME,
    company_in,
    emails_in,
    is_written_in,
    phone_from,
    phone_spans,
    phones_in,
)

from .making import any_text

ANNA = "+79161234567"


@pytest.mark.parametrize(
    "text",
    [
        "8 916 123-45-67",
        "+7(916)1234567",
        "8-916-123 45 67",
        "8(916)123-45-67",
        "+7 916 123 45 67",
        "89161234567",
        "79161234567",
        "8.916.123.45.67",
        "8 916 1234567",
        "+7\u00a0916\u00a0123\u201145\u201167",
        "\u202a+7 916\u200b 123-45-67\u202c",
        "мой номер 916 123 45 67",
        "тел 9161234567",
        "(916) 123-45-67",
        "916 123 45 67",
        "звоните: 8 916 123 45 67 после 18:00",
        "тел.8-916-123-45-67, Анна",
        "WhatsApp +79161234567",
        "wa.me/79161234567",
        "сумма 5 000 000, 8 916 123-45-67",
        "Нужно 5 000 000 8 916 123-45-67",
        "+7 916 123 45 67 5 млн",
        "ИНН 7707083893, тел. 8 916 123-45-67",
        "паспорт 4509 123456 +7 916 123-45-67",
    ],
)
def test_phones_as_people_type_them(text: str) -> None:
    assert phones_in(text) == [ANNA]


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("+380 50 123 45 67", ["+380501234567"]),
        ("+1 202 555 0173 or +44 20 7946 0958", ["+12025550173", "+442079460958"]),
        ("8 701 123 45 67", ["+77011234567"]),
        ("8 (495) 123-45-67", ["+74951234567"]),
        ("89161234567 89161234568", [ANNA, "+79161234568"]),
        ("8 916 123-45-67, он же +7 916 123 45 67", [ANNA]),
        ("+375 29 123 45 67 2 млн", ["+375291234567"]),
    ],
)
def test_other_phones(text: str, phones: list[str]) -> None:
    assert phones_in(text) == phones


@pytest.mark.parametrize(
    "text",
    [
        "5 000 000",
        "89 161 234 567 руб",
        "89 161 234 567",
        "кредит 8 916 123 450 рублей",
        "4276 8380 1234 5678",
        "карта 8916 1234 5678 9012",
        "3782 822463 10005",
        "счёт 40817810099910004312",
        "ИНН 7707083893",
        "ИНН 9161234567",
        "номер ИНН 9161234567",
        "номер заказа 89161234567",
        "заказ № 89161234567",
        "СНИЛС 849-512-345 67",
        "12.08.2024 15:30",
        "8.9.2024 10.30.05",
        "2024-12-31 8 00",
        "https://shop.ru/89161234567",
        "9161234",
        "8 000 000 00 00",
        "в 2024 году 12 раз по 500 000",
    ],
)
def test_what_is_no_phone(text: str) -> None:
    assert phones_in(text) == []


@pytest.mark.parametrize(
    ("value", "phone"),
    [("79161234567", ANNA), ("+7 916 123-45-67", ANNA), ("380501234567", "+380501234567"),
     ("", None), ("+", None), ("12", None), ("тел", None)],
)  # fmt: skip
def test_field_with_one_phone(value: str, phone: str | None) -> None:
    assert phone_from(value) == phone


@given(
    st.integers(9_000_000_000, 9_999_999_999), st.lists(st.sampled_from(["", " ", "-"]), min_size=4)
)
def test_a_mobile_number_is_found_however_it_is_broken(number: int, gaps: list[str]) -> None:
    digits = str(number)
    parts = (digits[:3], digits[3:6], digits[6:8], digits[8:])
    written = "+7" + "".join(gap + part for gap, part in zip(gaps, parts, strict=False))
    is_valid = phonenumbers.is_valid_number(phonenumbers.parse(f"+7{number}"))
    assert phones_in(f"Это {written}, Анна") == ([f"+7{number}"] if is_valid else [])


@given(st.text(st.sampled_from("0123456789 +-().,8797 руб№\n"), max_size=80) | any_text)
@settings(max_examples=300)
def test_what_is_found_is_valid_and_written_there(text: str) -> None:
    spans = phone_spans(text, HOME)
    for start, end, phone in spans:
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))
        assert "".join(c for c in text[start:end] if c in "0123456789")[-7:] == phone[-7:]
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("мой 8 (916) 123-45-67", True),
        ("мой 916 123 45 67", True),
        ("карта 4276 8916 1234 5678", False),
        ("ИНН 9161234567", False),
        ("мой 8 916 123-45-68", False),
        ("1 2 3", False),
    ],
)
def test_is_written_in(text: str, expected: bool) -> None:
    assert is_written_in(ANNA, text) is expected


@pytest.mark.parametrize(
    ("text", "emails"),
    [
        ("Пишите Anna.Petrova@Mail.ru.", ["anna.petrova@mail.ru"]),
        ("a@b.ru, a@b.ru и c+d@e-f.com", ["a@b.ru", "c+d@e-f.com"]),
        ("i.ivanov@почта.рф", ["i.ivanov@почта.рф"]),
        ("@anna", []),
        ("x@y..ru x@ @y.ru a@b", []),
    ],
)
def test_emails(text: str, emails: list[str]) -> None:
    assert emails_in(text) == emails


@pytest.mark.parametrize(
    ("text", "company"),
    [
        ("Мы ООО «Ромашка», нужен лизинг", "ООО «Ромашка»"),
        ('АО "Завод № 1"', "АО «Завод № 1»"),
        ("ИП Петров", "ИП Петров"),
        ("нужен кредит для ООО", None),
    ],
)
def test_companies(text: str, company: str | None) -> None:
    assert company_in(text) == company


@given(any_text)
def test_any_text_is_read(text: str) -> None:
    for email in emails_in(text):
        assert email in text.lower()
    company_in(text)
