"""Which candidate is asked first, and which after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lib.domain.llm.table import Alias, Candidate


@dataclass(frozen=True, slots=True)
class Health:
    """What the last probe found of a model, or what calls show.

    Attributes:
        ok: it answered, or may.
        first_token_ms: None: not measured.
        price: dollars for a million tokens in and a million out, as the provider says.
    """

    ok: bool = True
    first_token_ms: float | None = None
    price: Decimal | None = None


def ordered(
    alias: Alias, health: Mapping[str, Health], waits: Callable[[str], float], today: date
) -> list[Candidate]:
    """The candidates to be tried, the best first.

    Retired ones and open circuits are left out; ill ones come last: a probe may be wrong.

    Args:
        alias: its candidates, and by what they are ordered.
        health: by ``Candidate.name``; one that is not in it counts as well.
        waits: seconds until a candidate's circuit lets a try through, by name.
        today: the day in UTC.

    Returns:
        None of them when every circuit is open.
    """
    living = [each for each in alias.candidates if each.retires is None or today < each.retires]
    going = [each for each in living or alias.candidates if waits(each.name) <= 0]
    known = {each.name: health.get(each.name, Health()) for each in going}
    place = {each.name: number for number, each in enumerate(going)}

    def rank(candidate: Candidate) -> tuple[bool, float, int]:
        found = known[candidate.name]
        by = 0.0
        if alias.order == "price":
            by = _price(candidate, found)
        elif alias.order == "latency":
            by = float("inf") if found.first_token_ms is None else found.first_token_ms
        return (not found.ok, by, place[candidate.name])

    return sorted(going, key=rank)


def _price(candidate: Candidate, found: Health) -> float:
    if found.price is not None:
        return float(found.price)
    price = candidate.price
    return float(price.input + price.output + price.hour) if price else 0.0
