"""Keys of tools: what they look like, and the limits that they are made with."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from lib.errors import Rejected

PREFIX = "potok-"
SHOWN_CHARS = 12
Period = Literal["day", "month"]

_BUDGET = re.compile(r"(\d{1,7}(?:\.\d{1,4})?)usd(?:/(day|month))?", re.ASCII)
_SPAN = re.compile(r"(\d{1,5})([hd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent: US dollars in a day or a month of UTC, or ever (``period`` None)."""

    usd: Decimal
    period: Period | None = None

    def __str__(self) -> str:
        return f"{self.usd.normalize():f}usd" + (f"/{self.period}" if self.period else "")

    def start(self, now: datetime) -> datetime:
        """When the present period began; for ever: the year 2000."""
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.period == "day":
            return day
        return day.replace(day=1) if self.period == "month" else datetime(2000, 1, 1, tzinfo=UTC)

    def end(self, now: datetime) -> datetime | None:
        """When the next period begins; None: never."""
        if self.period is None:
            return None
        start = self.start(now)
        if self.period == "day":
            return start + timedelta(days=1)
        return (start + timedelta(days=32)).replace(day=1)


def budget_from(text: str) -> Budget:
    """A budget as people write it: ``10usd/month``, ``0.5usd/day``, ``100usd``.

    Raises:
        Rejected: it is none.
    """
    found = _BUDGET.fullmatch(text.strip().lower())
    if found is None or not Decimal(found[1]):
        raise Rejected(
            f"a budget is such as 10usd/month, 1usd/day or 100usd, without a space, and 0.0001usd"
            f" at least, not {text!r}"
        )
    period: Period | None = "day" if found[2] == "day" else "month" if found[2] else None
    return Budget(Decimal(found[1]), period)


def span_from(text: str) -> timedelta:
    """A span of time as people write it: ``30d`` or ``12h``.

    Raises:
        Rejected: it is none.
    """
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        raise Rejected(f"a span of time is such as 30d or 12h (days or hours), not {text!r}")
    number = int(found[1])
    return timedelta(hours=number) if found[2] == "h" else timedelta(days=number)


def key_hash(secret: str) -> str:
    """What is kept of a key: with 256 random bits no salt or slow hash would protect it more."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def shown(secret: str) -> str:
    """The beginning of a key, by which people tell it from others."""
    return secret[:SHOWN_CHARS]
