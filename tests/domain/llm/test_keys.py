"""Budgets and spans as people write them, and when a budget's period begins and ends."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.keys import Budget, Period, budget_from, key_hash, shown, span_from
from lib.errors import Rejected

ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2200, 1, 1), timezones=ZONES)
DOLLARS = st.decimals("0.0001", "9999999", places=4)
PERIODS: st.SearchStrategy[Period | None] = st.sampled_from(("day", "month", None))


@pytest.mark.parametrize(
    ("text", "usd", "period"),
    [
        ("10usd/month", "10", "month"),
        (" 0.5USD/Day ", "0.5", "day"),
        ("100usd", "100", None),
        ("0.0001usd/day", "0.0001", "day"),
    ],
)
def test_a_budget_is_read(text: str, usd: str, period: Period | None) -> None:
    assert budget_from(text) == Budget(Decimal(usd), period)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 10",
        "usd",
        "0usd",
        "0.0usd/day",
        "-1usd",
        "1usd/week",
        "1usd/",
        "1e3usd",
        "nanusd",
        "1.00001usd",
        "12345678usd",
        "10 usd",
        "1usd/month/day",
        "\u0661usd",
        "1,5usd",
    ],
)
def test_what_is_no_budget_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Rejected, match="10usd/month"):
        budget_from(text)


@given(usd=DOLLARS, period=PERIODS)
def test_a_budget_is_read_as_it_was_written(usd: Decimal, period: Period | None) -> None:
    assert budget_from(str(Budget(usd, period))) == Budget(usd, period)


@given(text=st.text())
def test_any_text_is_a_budget_and_a_span_or_refused(text: str) -> None:
    for read in (budget_from, span_from):
        with suppress(Rejected):
            read(text)


@given(now=MOMENTS, period=st.sampled_from(("day", "month")))
def test_now_is_in_the_period_and_the_next_begins_where_it_ends(
    now: datetime, period: Period
) -> None:
    budget = Budget(Decimal(1), period)
    start, end = budget.start(now), budget.end(now)
    assert end is not None
    assert start <= now < end
    assert start.utcoffset() == end.utcoffset() == timedelta(0)
    assert (start.hour, start.minute, start.second, start.microsecond) == (0, 0, 0, 0)
    assert (end - start).days == 1 if period == "day" else start.day == end.day == 1
    assert budget.start(end) == end
    assert budget.end(end - timedelta(microseconds=1)) == end


@given(now=MOMENTS)
def test_a_budget_without_a_period_never_begins_anew(now: datetime) -> None:
    budget = Budget(Decimal(1))
    assert budget.end(now) is None
    assert budget.start(now) == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"), [("30d", timedelta(days=30)), (" 12H ", timedelta(hours=12))]
)
def test_a_span_is_read(text: str, span: timedelta) -> None:
    assert span_from(text) == span


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1w", "1.5d", "100000d", "1 d"])
def test_what_is_no_span_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Rejected, match="30d or 12h"):
        span_from(text)


def test_of_a_key_the_hash_tells_nothing_and_the_beginning_little() -> None:
    secret = "potok-abcdefghijklmnop"
    assert secret not in key_hash(secret)
    assert len(key_hash(secret)) == 64
    assert shown(secret) == "potok-abcdef"
    assert key_hash("\ud800") != key_hash("\ud801")
