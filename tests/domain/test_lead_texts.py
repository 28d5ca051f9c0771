from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.inbound import Media, SharedContact
from lib.domain.lead_texts import (
    COMMENT_LIMIT,
    TITLE_LIMIT,
    comment_text,
    lead_comment,
    lead_title,
    money_text,
    words_of,
)
from lib.domain.leads import LeadState
from lib.domain.lines import one_line, plain
from lib.domain.placement import Words

from .making import T0, any_text, inbound

LEAD = LeadState(
    origin="telegram:main:7:1",
    source="telegram",
    person="telegram:7",
    name="Анна Петрова",
    intent="кредит",
    amount=Decimal(5_000_000),
    currency="RUB",
    opened_at=T0,
    last_message_at=T0,
)


def said(text: str, number: int = 1, minutes: int = 0) -> Words:
    return Words(ref=f"telegram:main:7:{number}", at=T0 + timedelta(minutes=minutes), text=text)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "Telegram: Анна Петрова — кредит, 5 000 000 ₽"),
        ({"amount": None}, "Telegram: Анна Петрова — кредит"),
        ({"amount": None, "intent": None}, "Telegram: Анна Петрова — заявка"),
        ({"name": None, "phone": "+79161234567"}, "Telegram: +79161234567 — кредит, 5 000 000 ₽"),
        (
            {"name": None, "amount": Decimal("0.5"), "currency": "USD"},
            "Telegram: без имени — кредит, 0,50 $",
        ),
        ({"name": "[b]A[/b]\nB<i>"}, "Telegram: ［b］A［/b］ B‹i› — кредит, 5 000 000 ₽"),
    ],
)
def test_titles(fields: dict[str, object], title: str) -> None:
    assert lead_title(LEAD.model_copy(update=fields)) == title


@given(any_text, any_text)
def test_a_title_is_one_short_line(name: str, intent: str) -> None:
    title = lead_title(LEAD.model_copy(update={"name": name, "intent": intent}))
    assert len(title) <= TITLE_LIMIT
    assert len(title.splitlines()) == 1


def test_money() -> None:
    assert money_text(Decimal("1234567.5"), "EUR") == "1 234 567,50 €"
    assert money_text(Decimal(100), None) == "100 ₽"
    assert money_text(Decimal(100), "TRY") == "100 TRY"


def test_comment_is_their_own_words_with_moscow_time_and_ref() -> None:
    assert comment_text(said("Нужен кредит")) == (
        "22.11.2026 12:00 МСК\nНужен кредит\n[telegram:main:7:1]"
    )
    assert comment_text(said("")).splitlines()[1] == "(без текста)"


def test_lead_comment_tells_all_in_order_and_an_edited_message_once() -> None:
    comment = lead_comment([said("второе", 2, 5), said("первое"), said("первое, исправлено")])
    assert re.findall("первое.*|второе", comment) == ["первое, исправлено", "второе"]


def test_long_histories_keep_the_newest() -> None:
    comment = lead_comment([said("а" * 4000, number, number) for number in range(10)])
    assert len(comment) < COMMENT_LIMIT + 100
    assert comment.startswith("(более ранних сообщений: 8)")
    assert "[telegram:main:7:9]" in comment


def test_one_endless_message_is_cut() -> None:
    assert len(comment_text(said("а" * 8192))) < 4600


def test_files_and_cards_are_named() -> None:
    message = inbound(
        "Вот",
        media=(Media(kind="voice", duration_s=12), Media(kind="photo")),
        contact=SharedContact(phone="+79161234567", name="Анна"),
    )
    assert words_of(message) == (
        "Вот\n(голосовое сообщение, 12 с)\n(фото)\n(контакт: Анна, +79161234567)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "[url=https://evil.ru]тут[/url]",
        "<script>x</script>",
        "&lt;b&gt;",
        "&#60b&#62;",
        "[USER=1]",
        "\u202eабв",
    ],
)
def test_markup_is_gone(text: str) -> None:
    safe = plain(text)
    assert not re.search(r"[\[\]<>\u202e]", html.unescape(safe))


@given(any_text | st.text(st.sampled_from("[]<>&;#ltgxB=/\n\u202e"), max_size=40))
def test_no_text_can_hold_markup_or_a_ref(text: str) -> None:
    safe = plain(text)
    assert not re.search(r"[\[\]<>]", html.unescape(safe))
    comment = comment_text(replace(said("x"), text=text + "[telegram:main:7:2]"))
    assert re.findall(r"\[(.*?)\]", comment) == ["telegram:main:7:1"]


@given(any_text, st.integers(1, 60))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
