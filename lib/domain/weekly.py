"""A week of leads in figures: how many, from where, how promising, how soon somebody called."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lib.domain.lead_texts import MOSCOW
from lib.domain.score_news import BAND_WORDS

DAYS = 7
SOURCES = {"telegram": "бот", "forwarder": "форвардер"}
OTHER = "другие"  # what another program wrote into the CRM's leads is not of a bounded length
NO_BAND = "без оценки"
CALLS = ("0", "1", "2", "3 и больше")


@dataclass(frozen=True, slots=True)
class LeadOfWeek:
    """A lead that was opened in the week.

    Attributes:
        band: of its score now; None: it has none.
        state: what became of it in the CRM: open, won, lost; None: not known.
        calls: by telephone, both ways, taken or not.
        first_call_at: the first call after it was opened; None: nobody has called.
    """

    source: str
    opened_at: datetime
    band: str | None
    state: str | None
    calls: int
    first_call_at: datetime | None


@dataclass(frozen=True, slots=True)
class Week:
    """The figures of a week, Monday to Sunday in Moscow.

    Attributes:
        before: leads of the week before.
        by_source: leads of each day, by source.
        bands, calls: leads by band, and by how many calls they had.
        minutes_to_call: median; None: nobody called anybody.
        won, lost: of the week's leads, so far.
    """

    monday: date
    leads: int
    before: int
    by_source: dict[str, list[int]]
    bands: dict[str, int]
    calls: dict[str, int]
    minutes_to_call: float | None
    called: int
    won: int
    lost: int

    @property
    def days(self) -> list[date]:
        """Its seven days."""
        return [self.monday + timedelta(days=number) for number in range(DAYS)]

    @property
    def title(self) -> str:
        """Such as «Неделя 16.11 — 22.11.2026»."""
        return f"Неделя {self.monday:%d.%m} — {self.days[-1]:%d.%m.%Y}"


def last_week(now: datetime) -> date:
    """The Monday of the last week that is over, in Moscow."""
    today = now.astimezone(MOSCOW).date()
    return today - timedelta(days=today.weekday() + DAYS)


def start_of(day: date) -> datetime:
    """When a day begins in Moscow."""
    return datetime(day.year, day.month, day.day, tzinfo=MOSCOW)


def week_from(monday: date, leads: Sequence[LeadOfWeek], before: int) -> Week:
    """The figures of a week.

    Args:
        monday: its first day.
        leads: those opened in it.
        before: how many were opened in the week before.
    """
    by_source: dict[str, list[int]] = {}
    for lead in leads:
        day = (lead.opened_at.astimezone(MOSCOW).date() - monday).days
        name = SOURCES.get(lead.source, OTHER)
        by_source.setdefault(name, [0] * DAYS)[day] += 1
    bands = Counter(BAND_WORDS.get(lead.band or "", NO_BAND) for lead in leads)
    calls = Counter(CALLS[min(lead.calls, len(CALLS) - 1)] for lead in leads)
    waits = [_minutes(lead) for lead in leads if lead.first_call_at is not None]
    states = Counter(lead.state for lead in leads)
    return Week(
        monday=monday,
        leads=len(leads),
        before=before,
        by_source=dict(sorted(by_source.items())),
        bands={name: bands[name] for name in (*BAND_WORDS.values(), NO_BAND) if bands[name]},
        calls={name: calls[name] for name in CALLS},
        minutes_to_call=statistics.median(waits) if waits else None,
        called=len(waits),
        won=states["won"],
        lost=states["lost"],
    )


def week_text(week: Week) -> str:
    """The week in a few lines, for people."""
    lines = [f"📊 {week.title}", f"Лидов: {week.leads} (неделей раньше {week.before})"]
    if week.leads:
        sources = ", ".join(f"{name} {sum(days)}" for name, days in week.by_source.items())
        bands = ", ".join(f"{name} {count}" for name, count in week.bands.items())
        lines += [f"Откуда: {sources}", f"Оценки: {bands}"]
        called = f"Звонили по {week.called} из {week.leads}"
        if week.minutes_to_call is not None:
            called += f", до первого звонка {_time(week.minutes_to_call)} (медиана)"
        share = round(100 * week.won / week.leads)
        lines += [called, f"Сделок: {week.won} ({share} %), отказов: {week.lost}"]
    return "\n".join(lines)


def _minutes(lead: LeadOfWeek) -> float:
    assert lead.first_call_at is not None
    return (lead.first_call_at - lead.opened_at).total_seconds() / 60


def _time(minutes: float) -> str:
    return f"{minutes:.0f} мин" if minutes < 120 else f"{minutes / 60:.1f} ч".replace(".", ",")
