"""Reminders: when managers are told of a lead, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.reminders import STALE_AFTER, Watched, due, reminder_text
from lib.domain.working_hours import LOOKS_BACK, working_hours_from
from lib.errors import Rejected

HOURS = working_hours_from("mon-fri 09:00-18:00 Europe/Moscow")
MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)  # ten o'clock in Moscow
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANNA = Watched(7, 70, "Анна", "ипотека", Decimal(5_000_000), "RUB", MONDAY, "hot", 80)

moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (MONDAY, MONDAY + HOUR, 1),
        (MONDAY - 5 * HOUR, MONDAY, 1),  # from five in the morning
        (MONDAY, MONDAY + DAY, 9),
        (MONDAY - 3 * DAY, MONDAY, 9),  # over the weekend
        (MONDAY + 9 * HOUR, MONDAY + 20 * HOUR, 0),
        (MONDAY + HOUR, MONDAY, 0),
        (MONDAY - 365 * DAY, MONDAY, 90),  # of the last 14 days
    ],
)
def test_working_time_between(start: datetime, end: datetime, hours: int) -> None:
    assert HOURS.between(start, end) == hours * HOUR


@pytest.mark.parametrize("day", ["2026-03-29T00:55:00+00:00", "2026-10-25T00:50:00+00:00"])
def test_working_time_while_the_clock_is_changed_is_the_time_that_passed(day: str) -> None:
    always = working_hours_from("mon-sun 00:00-23:59 Europe/Berlin")
    start = datetime.fromisoformat(day)
    assert always.between(start, start + timedelta(minutes=20)) == timedelta(minutes=20)


@given(moments, st.lists(st.timedeltas(timedelta(), timedelta(days=2)), min_size=2, max_size=4))
def test_working_time_adds_up(start: datetime, steps: list[timedelta]) -> None:
    parts, at = timedelta(), start
    for step in steps:
        parts += HOURS.between(at, at + step)
        at += step
    assert parts == HOURS.between(start, at)
    assert at - start <= LOOKS_BACK
    assert timedelta() <= parts <= at - start


@given(moments)
def test_a_working_moment_is_the_end_of_some_working_time(at: datetime) -> None:
    after = HOURS.between(at, at + timedelta(microseconds=1))
    assert bool(after) is HOURS.include(at)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "always",
        "mon-fri 9:00-18:00 Europe/Moscow",
        "fri-mon 09:00-18:00 Europe/Moscow",
        "mon-fri 18:00-09:00 Europe/Moscow",
        "mon-fri 09:00-25:00 Europe/Moscow",
        "mon-fri 09:00-18:00 Europe",
        "mon-fri 09:00-18:00 ../../etc/passwd",
        "mon-fri 09:00-18:00 Mars/Base",
    ],
)
def test_hours_that_are_none(said: str) -> None:
    with pytest.raises(Rejected, match="working hours are such as `mon-fri 09:00-18:00"):
        working_hours_from(said)


@pytest.mark.parametrize(
    ("change", "after", "reasons"),
    [
        ({}, 14 * MINUTE, []),
        ({}, 15 * MINUTE, ["hot and unanswered"]),
        ({"reminded": frozenset(["hot and unanswered"])}, 15 * MINUTE, []),
        ({"reminded": frozenset(["missed call"])}, 15 * MINUTE, ["hot and unanswered"]),
        ({"band": "warm"}, 15 * MINUTE, []),
        ({"answered_at": MONDAY}, 15 * MINUTE, []),
        ({}, 12 * HOUR, []),  # in the evening
        ({"opened_at": MONDAY - 12 * HOUR}, -45 * MINUTE, ["hot and unanswered"]),
        ({"opened_at": MONDAY - 12 * HOUR}, -46 * MINUTE, []),  # 14 minutes of work ago
        ({"missed_at": MONDAY}, timedelta(), ["missed call"]),
        ({"missed_at": MONDAY, "band": None}, 20 * MINUTE, ["missed call"]),
        ({"missed_at": MONDAY}, 20 * MINUTE, ["missed call", "hot and unanswered"]),
        ({"missed_at": MONDAY - STALE_AFTER}, timedelta(), []),
        ({"missed_at": MONDAY - DAY}, 12 * HOUR, []),
    ],
)
def test_what_is_due(change: dict[str, object], after: timedelta, reasons: list[str]) -> None:
    assert due(replace(ANNA, **change), MONDAY + after, HOURS) == reasons  # type: ignore[arg-type]


def test_the_words() -> None:
    nobody = Watched(8, None, None, None, None, None, MONDAY)
    link = "https://portal/crm/lead/details/70/"
    told = [(ANNA, "hot and unanswered", link), (nobody, "missed call", "")]
    assert reminder_text(told, MONDAY + 20 * MINUTE) == (  # type: ignore[arg-type]
        "🔥 Горячий лид без ответа 20 мин (оценка 80)\n"
        f"Анна — ипотека, 5 000 000 ₽\n{link}\n\n"
        "📞 Пропущенный звонок, не перезвонили\nбез имени — заявка"
    )
