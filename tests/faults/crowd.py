"""A crowd that writes to the bot, and whoever counts what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually


@dataclass(frozen=True)
class Count:
    """Messages that were answered 200, and how many of them are lost or there twice."""

    accepted: int
    lost: int
    doubled: int
    dead: int


@dataclass
class Crowd:
    """People who are new here; each asks for something once, and each must become one lead.

    As Telegram does, a message that is not answered 200 is sent again.
    """

    stack: LiveStack
    origins: dict[str, str] = field(default_factory=dict)

    async def write(self, people: int, *, at_once: int = 4) -> list[str]:
        """Let so many people write, a few at a time; gives the keys of their messages."""
        gate = asyncio.Semaphore(at_once)

        async def one() -> str:
            person = Person()
            update = person.says(f"Нужен кредит на станок, {new_phone()}")
            async with gate:
                await eventually(lambda: self._is_accepted(update))
            self.origins[key(update)] = person.ref(update)
            return key(update)

        return list(await asyncio.gather(*(one() for _ in range(people))))

    async def _is_accepted(self, update: dict[str, object]) -> bool:
        try:
            return bool(await self.stack.post(update))
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code != 503:  # only what is away may refuse
                raise
            return False

    async def arrived(self, within_s: float = 180.0) -> None:
        """Wait until every accepted message is done or dead."""
        await self.stack.settled(list(self.origins), within_s)

    async def counted(self) -> Count:
        """What became of the accepted messages, here and in the CRM."""
        here = await self.stack.rows(
            "select d.key, d.state, l.crm_id from deliveries d "
            "left join lead_messages m on m.delivery_id = d.id "
            "left join leads l on l.id = m.lead_id where d.key = any(%s)",
            list(self.origins),
        )
        there = Counter(lead["originId"] for lead in await self.stack.crm())
        kept = {row["key"] for row in here if row["state"] == "done" and row["crm_id"]}
        copies = [there[origin] for origin in self.origins.values()]
        return Count(
            accepted=len(self.origins),
            lost=sum(k not in kept or not there[o] for k, o in self.origins.items()),
            doubled=sum(n - 1 for n in copies if n > 1) + len(here) - len(self.origins),
            dead=sum(row["state"] == "dead" for row in here),
        )

    async def check_each_is_one_lead(self) -> None:
        """Nothing that was accepted is lost, doubled, or waits for a person."""
        count = await self.counted()
        assert (count.lost, count.doubled, count.dead) == (0, 0, 0), count
