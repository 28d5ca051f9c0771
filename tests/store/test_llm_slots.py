"""Places at a provider: never more than there are, in order, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lib.errors import RateLimited
from lib.store.engine import Database
from lib.store.llm.slots import Slots
from tests.store.llm_making import fetched
from tests.support import free_port, until

LONG_S = 30.0
QUEUE = 100


@pytest.fixture
async def slots(db: Database) -> AsyncIterator[list[Slots]]:
    """The places of two processes."""
    databases = [Database(db.dsn), Database(db.dsn)]
    both = [Slots(each) for each in databases]
    yield both
    for each, database in zip(both, databases, strict=True):
        await each.close()
        await database.close()


class Guests:
    """Who is in, and how many were at most."""

    def __init__(self) -> None:
        self.came: list[int] = []
        self.inside: set[int] = set()
        self.most = 0
        self.door = asyncio.Event()

    async def visit(self, slots: Slots, number: int, at_once: int = 1, queue: int = QUEUE) -> None:
        async with slots.place("p", at_once, LONG_S, queue):
            self.came.append(number)
            self.inside.add(number)
            self.most = max(self.most, len(self.inside))
            try:
                await self.door.wait()
                await asyncio.sleep(0)
            finally:
                self.inside.discard(number)


async def locks(db: Database) -> int:
    [(found,)] = await fetched(db, "select count(*) from pg_locks where locktype = 'advisory'")
    return int(found)


def waiting(slots: Slots) -> int:
    known = slots._providers.get("p")
    return known.waiting if known else 0


@pytest.mark.parametrize("at_once", [1, 3])
async def test_two_processes_have_no_more_than_there_are(
    slots: list[Slots], db: Database, at_once: int
) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[n % 2], n, at_once)) for n in range(20)]
    await until(lambda: len(guests.inside) == at_once)
    guests.door.set()
    await asyncio.gather(*visits)
    assert sorted(guests.came) == list(range(20))
    assert guests.most == at_once
    assert await locks(db) == 0


async def test_callers_of_a_process_come_in_their_order(slots: list[Slots], db: Database) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[0], n)) for n in range(30)]
    await until(lambda: guests.inside)
    guests.door.set()
    late = [asyncio.create_task(guests.visit(slots[0], n)) for n in range(30, 40)]
    await asyncio.gather(*visits, *late)
    assert guests.came == list(range(40))


async def test_they_do_while_another_process_has_the_place(slots: list[Slots]) -> None:
    ours, theirs = Guests(), Guests()
    there = asyncio.create_task(theirs.visit(slots[1], 0))
    await until(lambda: theirs.inside)
    visits = [asyncio.create_task(ours.visit(slots[0], n)) for n in range(5)]
    await until(lambda: waiting(slots[0]) == 5)
    theirs.door.set()
    ours.door.set()
    await asyncio.gather(there, *visits)
    assert ours.came == list(range(5))


async def test_a_caller_who_leaves_the_queue_leaves_nothing(
    slots: list[Slots], db: Database
) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[0], n)) for n in range(6)]
    await until(lambda: guests.inside and waiting(slots[0]) == 5)
    for number in (1, 3, 5):
        visits[number].cancel()
    await asyncio.gather(*(visits[n] for n in (1, 3, 5)), return_exceptions=True)
    assert waiting(slots[0]) == 2
    guests.door.set()
    await asyncio.gather(visits[0], visits[2], visits[4])
    assert guests.came == [0, 2, 4]
    assert await locks(db) == 0


async def test_a_caller_who_leaves_with_the_place_frees_it(
    slots: list[Slots], db: Database
) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[n], n)) for n in range(2)]
    await until(lambda: guests.inside)
    [number] = guests.inside
    visits[number].cancel()
    await until(lambda: guests.inside == {1 - number})
    guests.door.set()
    await asyncio.gather(*visits, return_exceptions=True)
    assert await locks(db) == 0


async def test_whenever_a_caller_leaves_no_place_is_lost(slots: list[Slots], db: Database) -> None:
    for turns in range(40):
        guests = Guests()
        guests.door.set()
        visits = [asyncio.create_task(guests.visit(slots[n % 2], n)) for n in range(6)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for number in (0, 1, 3):
            visits[number].cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*visits, return_exceptions=True)
        assert {2, 4, 5} <= set(guests.came)
        assert guests.most <= 1
    await until(lambda: not any(each._providers["p"].taken for each in slots))
    assert await locks(db) == 0


async def test_a_queue_that_is_full_is_said(slots: list[Slots]) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[0], n, queue=2)) for n in range(3)]
    await until(lambda: guests.inside and waiting(slots[0]) == 2)
    with pytest.raises(RateLimited, match="2 calls wait for it already"):
        await guests.visit(slots[0], 3, queue=2)
    guests.door.set()
    await asyncio.gather(*visits)
    await guests.visit(slots[0], 4, queue=0)
    assert guests.came == [0, 1, 2, 4]


async def test_who_waits_too_long_is_told(slots: list[Slots], db: Database) -> None:
    guests = Guests()
    visit = asyncio.create_task(guests.visit(slots[0], 0))
    await until(lambda: guests.inside)
    for each in slots:
        with pytest.raises(RateLimited, match=r"within 0\.1 s"):
            async with each.place("p", 1, 0.1, QUEUE):
                pass
    guests.door.set()
    await visit
    assert waiting(slots[0]) == waiting(slots[1]) == 0
    assert await locks(db) == 0


async def test_a_session_that_was_killed_is_opened_anew(slots: list[Slots], db: Database) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[0], n)) for n in range(3)]
    await until(lambda: guests.inside)
    killed = await fetched(
        db,
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'potok places' and datname = current_database()",
    )
    assert (True,) in killed
    guests.door.set()
    await asyncio.gather(*visits)
    assert guests.came == [0, 1, 2]
    assert guests.most == 1
    await guests.visit(slots[1], 3)
    assert await locks(db) == 0


async def test_places_grow_and_shrink_with_the_table(slots: list[Slots]) -> None:
    guests = Guests()
    visits = [asyncio.create_task(guests.visit(slots[0], n, 3)) for n in range(3)]
    await until(lambda: len(guests.inside) == 3)
    visits.append(asyncio.create_task(guests.visit(slots[0], 3, 1)))
    await until(lambda: waiting(slots[0]) == 1)
    guests.door.set()
    await asyncio.gather(*visits)
    assert guests.most == 3


async def test_without_a_limit_nobody_waits_and_without_postgres_nobody_is_refused() -> None:
    away = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    slots, guests = Slots(away), Guests()
    async with slots.place("q", None, 0.1, 0), slots.place("q", None, 0.1, 0):
        pass
    visits = [asyncio.create_task(guests.visit(slots, n)) for n in range(3)]
    guests.door.set()
    await asyncio.gather(*visits)
    assert guests.most == 1
    await slots.close()
    await away.close()
