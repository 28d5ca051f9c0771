"""What managers are reminded of: a call that nobody took, a hot lead that nobody answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from lib.domain.lead_texts import money_text
from lib.domain.lines import one_line
from lib.domain.working_hours import WorkingHours

Reason = Literal["missed call", "hot and unanswered"]

UNANSWERED_FOR = timedelta(minutes=15)
STALE_AFTER = timedelta(days=3)  # what was found late, as after an outage, nobody is woken for
A_MESSAGE = 10


@dataclass(frozen=True, slots=True)
class Watched:
    """An open lead that may want a person.

    Attributes:
        band: of its score; None: it has none.
        answered_at: a person's first answer.
        missed_at: the newest call of theirs that nobody took, and no talk came after.
        reminded: reasons that managers were told of before.
    """

    lead_id: int
    crm_id: int | None
    name: str | None
    intent: str | None
    amount: Decimal | None
    currency: str | None
    opened_at: datetime
    band: str | None = None
    score: int | None = None
    answered_at: datetime | None = None
    missed_at: datetime | None = None
    reminded: frozenset[str] = frozenset()


def due(lead: Watched, now: datetime, hours: WorkingHours) -> list[Reason]:
    """What managers are to be reminded of now; nothing outside of working hours."""
    if not hours.include(now):
        return []
    found: list[Reason] = []
    if lead.missed_at is not None and now - lead.missed_at < STALE_AFTER:
        found.append("missed call")
    is_alone = lead.answered_at is None and now - lead.opened_at < STALE_AFTER
    if lead.band == "hot" and is_alone and hours.between(lead.opened_at, now) >= UNANSWERED_FOR:
        found.append("hot and unanswered")
    return [reason for reason in found if reason not in lead.reminded]


def reminder_text(leads: Iterable[tuple[Watched, Reason, str]], now: datetime) -> str:
    """One message for the managers' chat.

    Args:
        leads: each with the reason, and a link to it; "" where there is none.
        now: aware.
    """
    parts = []
    for lead, reason, link in leads:
        who = one_line(lead.name or "без имени", 60)
        wish = one_line(lead.intent or "заявка", 60)
        if lead.amount is not None:
            wish += f", {money_text(lead.amount, lead.currency)}"
        if reason == "missed call":
            head = "📞 Пропущенный звонок, не перезвонили"
        else:
            minutes = int((now - lead.opened_at).total_seconds() // 60)
            head = f"🔥 Горячий лид без ответа {_ago(minutes)} (оценка {lead.score})"
        parts.append("\n".join(filter(None, [head, f"{who} — {wish}", link])))
    return "\n\n".join(parts)


def _ago(minutes: int) -> str:
    return f"{minutes} мин" if minutes < 120 else f"{minutes // 60} ч"
