"""The week's figures and words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lib.clients.telegram import CAPTION_CHARS
from lib.domain.weekly import DAYS, LeadOfWeek, last_week, start_of, week_from, week_text
from lib.pictures import Picture

MONDAY = date(2026, 11, 16)
START = start_of(MONDAY)
LEAD = LeadOfWeek("telegram", START, "hot", "open", 0, None)

leads = st.builds(
    LeadOfWeek,
    st.sampled_from(["telegram", "forwarder"]) | st.text(max_size=250),
    st.timedeltas(timedelta(), timedelta(days=DAYS, seconds=-1)).map(lambda after: START + after),
    st.sampled_from(["hot", "warm", "cold", None]),
    st.sampled_from(["open", "won", "lost", None]),
    st.integers(0, 1000),
    st.none() | st.timedeltas(timedelta(), timedelta(days=99)).map(lambda after: START + after),
)


def test_the_last_week_that_is_over_in_moscow() -> None:
    sunday_night = datetime(2026, 11, 22, 20, 59, tzinfo=UTC)
    assert last_week(sunday_night) == date(2026, 11, 9)
    assert last_week(sunday_night + timedelta(minutes=1)) == MONDAY
    assert datetime(2026, 11, 15, 21, tzinfo=UTC) == START


def test_a_week_in_words() -> None:
    told = [
        replace(LEAD, calls=2, first_call_at=START + timedelta(minutes=10), state="won"),
        replace(LEAD, opened_at=START + timedelta(days=6), source="forwarder", band=None),
        replace(LEAD, band="cold", calls=9, first_call_at=START + timedelta(minutes=40)),
    ]
    week = week_from(MONDAY, told, 5)
    assert week.by_source == {"бот": [2, 0, 0, 0, 0, 0, 0], "форвардер": [0, 0, 0, 0, 0, 0, 1]}
    assert week.calls == {"0": 1, "1": 0, "2": 1, "3 и больше": 1}
    assert week_text(week).splitlines() == [
        "📊 Неделя 16.11 — 22.11.2026",
        "Лидов: 3 (неделей раньше 5)",
        "Откуда: бот 2, форвардер 1",
        "Оценки: горячий 1, холодный 1, без оценки 1",
        "Звонили по 2 из 3, до первого звонка 25 мин (медиана)",
        "Сделок: 1 (33 %), отказов: 0",
    ]


def test_a_week_without_leads_is_told_too() -> None:
    assert week_text(week_from(MONDAY, [], 0)).splitlines()[1:] == ["Лидов: 0 (неделей раньше 0)"]


@given(st.lists(leads, max_size=30), st.integers(0, 10**6))
def test_every_lead_is_counted_once_in_each_figure(given_: list[LeadOfWeek], before: int) -> None:
    week = week_from(MONDAY, given_, before)
    by_day = [sum(days) for days in zip(*week.by_source.values(), strict=True)]
    assert sum(by_day) == sum(week.bands.values()) == sum(week.calls.values()) == len(given_)
    assert week.won + week.lost <= week.leads
    assert len(week_text(week)) <= CAPTION_CHARS


def test_pictures_of_something_and_of_nothing_are_png() -> None:
    for values in ({}, {"горячий": 3.0}):
        picture = Picture("Неделя")
        picture.bars("Оценки", values)
        picture.stacked("Дни", [MONDAY], {"бот": [1.0]} if values else {})
        picture.histogram("Лиды", {"now": list(values.values())}, {"hot": 65})
        assert picture.png().startswith(b"\x89PNG")
