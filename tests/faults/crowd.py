"""A crowd that writes to the bot, and the count of what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.flows.checks import numbers_said
from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

CANCEL_WITHIN_S = 20.0  # it takes 1 to 3 s on a machine that has nothing else to do


@dataclass(frozen=True)
class Count:
    """Messages that were answered 200, and what is wrong with them.

    Attributes:
        lost: not done here, or without a lead in the CRM.
        doubled: leads and words that are in the CRM once more than they should.
        misplaced: people whose words are in the CRM in another order than they were written.
        dead: given up; a person would have to act.
    """

    accepted: int
    lost: int
    doubled: int
    misplaced: int
    dead: int


@dataclass
class Crowd:
    """People who are new here; each must become one lead, with every word once and in order.

    As Telegram does, a message that is not answered 200 is sent again, and of one chat the next
    only after it. With several ``doors``, the addresses of gateways, each message is posted to all.
    """

    stack: LiveStack
    doors: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    refused: int = 0

    async def write(self, people: int, *, words: int = 1, at_once: int = 4) -> list[str]:
        """Let so many people write so many messages, a few at a time; gives the messages' keys."""
        gate = asyncio.Semaphore(at_once)

        async def one(person: Person) -> list[str]:
            texts = [f"Нужен кредит на станок, {new_phone()}", *([""] * (words - 1))]
            updates = [person.says(f"{text} слово-{n}-") for n, text in enumerate(texts)]
            async with gate:
                for update in updates:
                    await eventually(lambda update=update: self._is_accepted(update))
                    self.origins[key(update)] = person.ref(updates[0])
            return [key(update) for update in updates]

        keys = await asyncio.gather(*(one(Person()) for _ in range(people)))
        return [each for of_one in keys for each in of_one]

    async def hang(self, people: int = 3) -> list[str]:
        """Let people write whose run is then in the middle of its batch, for sure.

        The portal has stored their leads and says nothing more.
        """
        wishes = [{"kind": "silent", "seconds": 0.1}, {"kind": "silent", "seconds": 300}]
        await self.stack.control("bitrix/failures", wishes)
        async with self.stack.claims_held():
            keys = await self.write(people)
        origins = [self.origins[each] for each in keys]

        async def stored() -> bool:
            return len(await self.stack.crm(*origins)) == people

        await eventually(stored)
        assert {row["state"] for row in await self.stack.deliveries(keys)} == {"claimed"}
        return keys

    async def dawdle(self, people: int = 3) -> dict[str, Any]:
        """Let people write whose run then waits for a slow model; gives their batch, started."""
        await self.stack.control("llm/failures", {"kind": "slow", "delay_s": 2.0, "times": people})
        async with self.stack.claims_held():
            keys = await self.write(people)

        async def started() -> dict[str, Any] | None:
            (row, *_) = await self.stack.rows(
                "select b.* from deliveries d join batches b on b.id = d.batch_id "
                "where d.key = any(%s)",
                keys,
            ) or [None]
            return row if row and row["started_at"] else None

        return await eventually(started)

    async def cancel(self, hung: str) -> None:
        """Cancel the run that has a message, as the UI's button does, and see its process end."""
        (row,) = await self.stack.deliveries([hung])
        process = await self.stack.process_of(row["batch_id"])
        path = f"/flow_runs/{row['flow_run_id']}"
        state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        await self.stack.prefect(f"{path}/set_state", state)

        async def gone() -> bool:
            return not process.is_running()

        async def cancelled() -> bool:  # Crashed for a moment: the process has its own last word
            return bool((await self.stack.prefect(path))["state_type"] == "CANCELLED")

        await eventually(gone, CANCEL_WITHIN_S)
        await eventually(cancelled)

    async def accepted(self, count: int) -> None:
        """Wait until so many messages were answered 200."""

        async def enough() -> bool:
            return len(self.origins) >= count

        await eventually(enough)

    async def _is_accepted(self, update: dict[str, object]) -> bool:
        posts = [self.stack.post(update, door) for door in self.doors or (None,)]
        answers = await asyncio.gather(*posts, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, httpx.HTTPStatusError) and answer.response.status_code != 503:
                raise answer  # only what is away may refuse
            if isinstance(answer, BaseException) and not isinstance(answer, httpx.HTTPError):
                raise answer
        is_accepted = any(isinstance(answer, str) for answer in answers)
        self.refused += not is_accepted
        return is_accepted

    async def arrived(self, within_s: float = 180.0) -> None:
        """Wait until every accepted message is done or dead."""
        await self.stack.settled(list(self.origins), within_s)

    async def counted(self) -> Count:
        """What became of the accepted messages, here and in the CRM."""
        here = await self.stack.deliveries(list(self.origins))
        leads = await self.stack.crm(*set(self.origins.values()))
        found = {lead["originId"]: lead for lead in leads}
        done = {row["key"] for row in here if row["state"] == "done"}
        written = Counter(self.origins.values())
        said = {origin: numbers_said(lead) for origin, lead in found.items()}
        extra = sum(len(words) - len(set(words)) for words in said.values())
        return Count(
            accepted=len(self.origins),
            lost=sum(each not in done for each in self.origins)
            + sum(n - len(set(said.get(origin, ()))) for origin, n in written.items()),
            doubled=len(leads) - len(found) + extra,
            misplaced=sum(words != sorted(words) for words in said.values()),
            dead=sum(row["state"] == "dead" for row in here),
        )

    async def check_each_is_one_lead(self) -> None:
        """Nothing that was accepted is lost, doubled, out of order, or waits for a person."""
        count = await self.counted()
        assert count == Count(len(self.origins), 0, 0, 0, 0)
