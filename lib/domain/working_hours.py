"""Working hours: whether it is a working moment, and how much of a time was working time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lib.errors import Rejected

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SAID = re.compile(
    r"(?P<first>[a-z]{3})-(?P<last>[a-z]{3}) "
    r"(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d) (?P<zone>\S+)"
)
LOOKS_BACK = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Hours of a day on some days of the week, in a time zone; holidays are not known."""

    days: frozenset[int]
    opens: time
    closes: time
    zone: ZoneInfo

    def include(self, at: datetime) -> bool:
        """Whether people work at a moment (aware)."""
        here = at.astimezone(self.zone)
        return here.weekday() in self.days and self.opens <= here.time() < self.closes

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much working time lies between two moments (aware); of the last 14 days at most."""
        # In UTC: between moments of one zone Python subtracts what its clock shows.
        first, last = max(start, end - LOOKS_BACK).astimezone(UTC), end.astimezone(UTC)
        total, day = timedelta(), first.astimezone(self.zone).date()
        while day <= last.astimezone(self.zone).date():
            if day.weekday() in self.days:
                opens = datetime.combine(day, self.opens, self.zone).astimezone(UTC)
                closes = datetime.combine(day, self.closes, self.zone).astimezone(UTC)
                total += max(timedelta(), min(last, closes) - max(first, opens))
            day += timedelta(days=1)
        return total


def working_hours_from(text: str) -> WorkingHours:
    """Such as ``mon-fri 09:00-18:00 Europe/Moscow``.

    Raises:
        Rejected: it is not of this form.
    """
    said = _SAID.fullmatch(text.strip())
    try:
        if said is None:
            raise ValueError("not of the form")
        first, last = _DAYS.index(said["first"]), _DAYS.index(said["last"])
        hours = time.fromisoformat(said["opens"]), time.fromisoformat(said["closes"])
        zone = ZoneInfo(said["zone"])
        if first > last or hours[0] >= hours[1]:
            raise ValueError("the end comes before the start")
    except (ValueError, KeyError, OSError) as exc:  # OSError: a zone that is a folder
        raise Rejected(
            f"working hours are such as `mon-fri 09:00-18:00 Europe/Moscow`, not {text!r}"
        ) from exc
    return WorkingHours(frozenset(range(first, last + 1)), *hours, zone)
