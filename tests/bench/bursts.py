"""A burst of messages from as many people, and whether each became one lead."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.bench.figures import percentile
from tests.bench.house import House
from tests.bench.load import Answer, Client
from tests.bench.people import Person
from tests.bench.way import Way, ways_of


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of a burst."""

    people: list[Person]
    answers: list[Answer]
    ways: list[Way]
    all_s: float

    @property
    def arrived(self) -> int:
        """How many are in the CRM."""
        return sum(way.crm_at is not None for way in self.ways)

    @property
    def leads_per_s(self) -> float:
        """Leads in the CRM a second, from the first byte sent to the last lead."""
        return self.arrived / self.all_s if self.all_s > 0 else 0.0

    @property
    def hook_p99_ms(self) -> float:
        """How soon the webhook was answered."""
        return percentile([answer.took_ms for answer in self.answers], 99)

    @property
    def answered(self) -> int:
        """How many were answered 200: these are promised."""
        return sum(answer.status == 200 for answer in self.answers)


async def send_burst(house: House, count: int, within_s: float) -> Burst:
    """Send as fast as Telegram would, and wait until all are in the CRM or the time is over."""
    people = house.people.some(count)
    requests = house.requests_of(people)
    after = await house.last_delivery()
    client = Client(house.settings.port)
    waiting = asyncio.create_task(house.until_in_crm(after, count, within_s))
    try:
        answers = await client.at_once(requests)
        await waiting
        await house.until_quiet()
    finally:
        waiting.cancel()
        await client.close()
    ways = await ways_of(house, after)
    first = min(answer.sent_at for answer in answers)
    last = max((way.crm_at.timestamp() for way in ways if way.crm_at), default=first)
    return Burst(people, answers, ways, last - first)


def lost_and_doubled(people: list[Person], leads: list[dict[str, Any]]) -> tuple[int, int]:
    """How many people are not in the portal, and how many leads there are too many.

    The portal is asked, not our database: by phone who is there, by ``originId`` what is twice.
    """
    phones = {entry["value"] for lead in leads for entry in lead["fm"]}
    origins = Counter(lead["originId"] for lead in leads)
    lost = sum(person.phone not in phones for person in people)
    return lost, sum(times - 1 for times in origins.values())
