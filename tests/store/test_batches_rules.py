"""Arrivals, claims, settlements, crashes and late runs in any order never break the inbox."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from lib.domain.batches import hold_back
from lib.store.batches import Batches, Claimed
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.inbox import Inbox
from lib.store.settlements import Settlement

from .making import LEADS, arriving, deliveries, pauses_end, rows, run_sql

T = TypeVar("T")
FATES = ("done", "done", "done", "again", "dead", "unnamed")
fates = st.lists(st.sampled_from(FATES), min_size=12, max_size=12)
lanes = st.sampled_from(["lane a", "lane b", "lane c"])
people = st.sampled_from(["Anna", "Boris", "Vera"])

RULES = """
    with claimed as (select * from deliveries where state = 'claimed')
    select 'accepted' as rule, count(*) as number from deliveries
    union all select 'one chat in two batches: ' || lane, count(distinct batch_id) from claimed
      group by lane having count(distinct batch_id) > 1
    union all select 'one person in two batches: ' || person, count(distinct batch_id) from claimed
      group by person having count(distinct batch_id) > 1
    union all select 'claimed by no open batch', d.id from claimed d
      left join batches b on b.id = d.batch_id where b.id is null or b.closed_at is not null
    union all select 'overtaken by a later one of its chat', b.id from deliveries b
      join claimed d on d.lane = b.lane and d.id > b.id where b.state in ('received', 'failed')
"""


class InboxMachine(RuleBasedStateMachine):
    """Runs and dispatchers of several processes over one inbox."""

    dsn: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.db = Database(self.dsn)
        self.batches = Batches(self.db)
        self.run(run_sql(self.db, "truncate deliveries, batches restart identity cascade"))
        self.accepted = 0
        self.open: list[UUID] = []
        self.returned: list[UUID] = []
        self.revived: set[int] = set()
        self.ended: defaultdict[str, list[int]] = defaultdict(list)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(lane=lanes, person=people)
    def arrives(self, lane: str, person: str) -> None:
        self.run(self.arrival(lane, person))

    @rule(claimers=st.integers(1, 3), limit=st.integers(1, 12), max_open=st.integers(1, 3))
    def is_claimed(self, claimers: int, limit: int, max_open: int) -> None:
        self.run(self.claims(claimers, limit, max_open))

    @rule(which=st.integers(0, 99), fates=fates)
    def is_settled(self, which: int, fates: list[str]) -> None:
        self.run(self.settlement(which, fates))

    @rule(which=st.integers(0, 99))
    def run_dies(self, which: int) -> None:
        if not self.open:
            return
        batch_id = self.open.pop(which % len(self.open))
        ids = [delivery.id for delivery in self.run(self.batches.take(batch_id))]
        dead = self.run(self.batches.give_back(batch_id, "its process is gone", jitter=0))
        assert set(dead) <= set(ids)
        self.returned.append(batch_id)
        self.run(self.note_ended(ids))

    @rule(which=st.integers(0, 99))
    def a_dead_run_settles_after_all(self, which: int) -> None:
        if not self.returned:
            return
        batch_id = self.returned[which % len(self.returned)]
        before = self.run(deliveries(self.db))
        late = [Settlement(row["id"], {"late": True}) for row in before.values()]
        assert self.run(self.batches.take(batch_id)) == []
        self.run(self.batches.settle(batch_id, late, jitter=0))
        self.run(self.batches.give_back(batch_id, "again", jitter=0))
        assert self.run(deliveries(self.db)) == before

    @rule(which=st.integers(0, 99))
    def a_person_repeats_a_run(self, which: int) -> None:
        if not self.returned:
            return
        batch_id = self.returned.pop(which % len(self.returned))
        if self.run(Claims(self.db).reopen(batch_id)):
            self.open.append(batch_id)
        self.run(self.note_revived())

    @rule()
    def time_passes(self) -> None:
        self.run(pauses_end(self.db))

    @rule(lane=lanes, person=people, which=st.integers(0, 99), fates=fates)
    def everything_at_once(self, lane: str, person: str, which: int, fates: list[str]) -> None:
        async def all_at_once() -> None:
            await asyncio.gather(
                self.claims(2, 5, 4),
                self.settlement(which, fates),
                self.arrival(lane, person),
                self.batches.open(),
            )

        self.run(all_at_once())

    @invariant()
    def rules_hold(self) -> None:
        """No chat or person in two hands, no overtaking, nothing lost."""
        found = self.run(rows(self.db, RULES))
        assert found == [{"rule": "accepted", "number": self.accepted}]
        for lane, ids in self.ended.items():
            assert lane == "revived" or ids == sorted(ids), lane

    def teardown(self) -> None:
        try:
            self.run(self.all_ends())
        finally:
            self.run(self.db.close())
            self.runner.close()

    async def all_ends(self) -> None:
        """Whatever happened before, every accepted delivery ends."""
        for _ in range(self.accepted + len(self.open) + 1):
            assert {batch.id for batch in await self.batches.open()} == set(self.open)
            for _ in list(self.open):
                await self.settlement(0, ["done"] * 12)
            if sum(map(len, self.ended.values())) == self.accepted:
                break
            await pauses_end(self.db)
            await self.claims(1, 12, 10)
        ended = {row["state"] for row in (await deliveries(self.db)).values()}
        assert ended <= {"done", "dead"}
        assert sum(map(len, self.ended.values())) == self.accepted

    async def arrival(self, lane: str, person: str) -> None:
        assert await Inbox(self.db).accept(arriving(lane=lane, person=person))
        self.accepted += 1

    async def claims(self, claimers: int, limit: int, max_open: int) -> None:
        before = len(self.open)
        found = await asyncio.gather(
            *(Claims(self.db).claim(LEADS, limit, max_open) for _ in range(claimers))
        )
        opened = [claim.batch_id for claim in found if claim]
        self.open += opened
        assert len(opened) <= max(0, max_open - before) or len(self.open) <= max_open
        for batch_id in opened:
            assert 1 <= len(await self.batches.take(batch_id)) <= limit

    async def settlement(self, which: int, fates: list[str]) -> None:
        if not self.open:
            return
        batch_id = self.open.pop(which % len(self.open))
        taken = await self.batches.take(batch_id)
        await self.batches.settle(batch_id, await self.settlements(taken, fates), jitter=0)
        await self.note_ended([delivery.id for delivery in taken])

    async def settlements(self, taken: list[Claimed], fates: list[str]) -> list[Settlement]:
        """Outcomes as a flow gives them: nothing goes on behind what failed in its chat."""
        lane_of = {row["id"]: row["lane"] for row in (await deliveries(self.db)).values()}
        fate_of = {d.id: fates[n % len(fates)] for n, d in enumerate(taken)}
        stopped = {i for i, fate in fate_of.items() if fate in ("again", "unnamed")}
        held = hold_back([(d.id, lane_of[d.id]) for d in taken], stopped)
        named = {
            "done": lambda i: Settlement(i, {"result": "lead"}),
            "again": lambda i: Settlement(i, error="Unavailable: away"),
            "dead": lambda i: Settlement(i, error="Rejected: no", retry=False),
        }
        return [
            named[fate](i) for i, fate in fate_of.items() if fate != "unnamed" and i not in held
        ]

    async def note_revived(self) -> None:
        """What was dead and is alive again has not ended, and has lost its place in its chat."""
        for row in (await deliveries(self.db)).values():
            lane = "revived" if row["id"] in self.revived else row["lane"]
            if row["id"] in self.ended[lane] and row["state"] not in ("done", "dead"):
                self.ended[lane].remove(row["id"])
                self.revived.add(row["id"])

    async def note_ended(self, ids: list[int]) -> None:
        for row in (await deliveries(self.db)).values():
            if row["id"] in ids and row["state"] in ("done", "dead"):
                lane = "revived" if row["id"] in self.revived else row["lane"]
                self.ended[lane].append(row["id"])


def test_the_inbox_keeps_its_rules(database: str) -> None:
    InboxMachine.dsn = database
    run_state_machine_as_test(
        InboxMachine,
        settings=settings(max_examples=20, stateful_step_count=25),
    )
