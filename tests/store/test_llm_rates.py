"""Rates: over two processes no more than a bucket in a burst, refilled by the database's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from lib.store.engine import Database
from lib.store.llm.rates import LEASE, Rates, burst_of
from tests.store.making import run_sql

KEY = 7


@pytest.fixture
async def other(db: Database) -> AsyncIterator[Database]:
    """Another process' way to the same database."""
    opened = Database(db.dsn)
    yield opened
    await opened.close()


async def admitted(rates: list[Rates], calls: int, rpm: int, key: int = KEY) -> int:
    waits = await asyncio.gather(*(rates[n % len(rates)].take(key, rpm) for n in range(calls)))
    return waits.count(0.0)


def since(began: float) -> float:
    """Seconds that a burst took: the bucket fills meanwhile."""
    return time.monotonic() - began


async def aged(db: Database, seconds: float) -> None:
    """Let time pass for the buckets."""
    await run_sql(db, f"update llm_rates set at = at - interval '{seconds} seconds'")


@pytest.mark.parametrize("rpm", [1, 2, 3, 5, 6, 20, 59, 60, 600])
async def test_a_burst_over_two_processes_is_a_bucket(
    db: Database, other: Database, rpm: int
) -> None:
    began = time.monotonic()
    given = await admitted([Rates(db), Rates(other)], 2 * rpm + 10, rpm)
    assert 1 <= given <= burst_of(rpm) + since(began) * rpm / 60


@pytest.mark.parametrize(("rpm", "burst"), [(1, 1), (3, 3), (10, 10), (30, 10), (600, 100)])
async def test_as_many_may_come_at_once_as_a_tool_asks_in_a_burst(
    db: Database, other: Database, rpm: int, burst: int
) -> None:
    assert burst_of(rpm) == burst
    rates = [Rates(db), Rates(other)]
    assert [await rates[n % 2].take(KEY, rpm) for n in range(min(burst, 10))] == [0.0] * min(
        burst, 10
    )


@pytest.mark.parametrize("rpm", [1, 5, 60, 600])
async def test_a_minute_of_bursts_over_two_processes(
    db: Database, other: Database, rpm: int
) -> None:
    rates, began = [Rates(db), Rates(other)], time.monotonic()
    given = await admitted(rates, rpm + 10, rpm)
    for _ in range(12):
        await aged(db, 5.0)
        given += await admitted(rates, rpm + 10, rpm)
    assert rpm <= given <= burst_of(rpm) + (60 + since(began)) * rpm / 60


@pytest.mark.parametrize("rpm", [1, 2, 3, 4, 5, 60])
async def test_after_the_seconds_that_are_told_one_goes_and_not_before(
    db: Database, rpm: int
) -> None:
    rates = Rates(db)
    while (wait_s := await rates.take(KEY, rpm)) == 0.0:
        pass
    assert 0 < wait_s <= 60 / rpm
    if rpm <= 5:
        await aged(db, wait_s - 2)
        left_s = await rates.take(KEY, rpm)
        assert 0 < left_s <= 2
    await aged(db, wait_s)
    assert await rates.take(KEY, rpm) == 0.0


async def test_a_bucket_holds_no_more_after_a_day(db: Database) -> None:
    await admitted([Rates(db)], 100, 60)
    await aged(db, 86_400)
    assert await admitted([Rates(db)], 100, 60) in (10, 11)


async def test_a_clock_that_goes_back_takes_nothing(db: Database) -> None:
    rates = Rates(db)
    while await rates.take(KEY, 60) == 0.0:
        pass
    await aged(db, -3600)
    assert await rates.take(KEY, 60) > 0
    await aged(db, 3)
    assert await rates.take(KEY, 60) == 0.0


async def test_a_lease_spares_round_trips(db: Database) -> None:
    rates = Rates(db)
    assert await rates.take(KEY, 600) == 0.0
    await run_sql(db, "delete from llm_rates")
    for _ in range(600 // LEASE - 1):
        assert await rates.take(KEY, 600) == 0.0


async def test_keys_have_buckets_of_their_own_and_a_new_limit_holds_at_once(db: Database) -> None:
    rates = Rates(db)
    assert await admitted([rates], 20, 6) == 6
    assert await admitted([rates], 20, 6, key=8) == 6
    await aged(db, 60)
    assert await admitted([rates], 100, 60) in (10, 11)
