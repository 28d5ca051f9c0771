"""Claiming and settling beside a million settled deliveries, against an empty inbox."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass

import orjson
import psycopg

from deployments.stack.databases import ensure_databases
from lib.domain.telegram import message_from_update
from lib.gateway.hooks import delivery_from
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.events import LEADS
from lib.store.inbox import Inbox, NewDelivery
from lib.store.migrate import upgrade
from lib.store.settlements import Settlement
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.people import Person

SETTLED = 1_000_000
QUICK_SETTLED = 100_000
A_STATEMENT = 100_000
BATCH = 50
ROUNDS = 20
WARM_UPS = 3
NAMES = ("bench_empty", "bench_full")

_BATCHES = """
    insert into batches (id, deployment, size, started_at, closed_at, ended)
    select md5(g::text)::uuid, %(deployment)s, 50, now(), now(), 'settled'
    from generate_series(%(first)s::int / 50, (%(last)s::int - 1) / 50) g on conflict do nothing
"""
_DELIVERIES = """
    insert into deliveries (key, deployment, source, lane, person, message, raw, state,
      settled_at, batch_id, outcome)
    select 'telegram:old:' || g, %(deployment)s, 'telegram', 'telegram:main:' || g / 10,
      'telegram:' || g / 10, %(message)s::jsonb, %(raw)s, 'done', now(), md5((g / 50)::text)::uuid,
      '{"ms": {"crm": 20, "read": 20, "store": 5}, "result": "lead"}'
    from generate_series(%(first)s::int, %(last)s::int - 1) g
"""


@dataclass(slots=True)
class Times:
    """Milliseconds of every round."""

    accept_ms: list[float]
    claim_ms: list[float]
    take_ms: list[float]
    settle_ms: list[float]

    @property
    def median_ms(self) -> float:
        """Of claim and settle together."""
        return statistics.median(map(sum, zip(self.claim_ms, self.settle_ms, strict=True)))

    def line(self, name: str) -> str:
        """The medians, for people."""
        accept_ms, claim_ms, take_ms, settle_ms = map(
            statistics.median, (self.accept_ms, self.claim_ms, self.take_ms, self.settle_ms)
        )
        return (
            f"{name:<6} accept {accept_ms:.2f} ms a message, claim {claim_ms:.2f}, "
            f"take {take_ms:.2f}, settle {settle_ms:.2f} ms"
        )


async def measure(house: House, options: Options) -> Sample:
    """Rounds in turn in both databases, so that whatever else happens strikes both."""
    await house.until_quiet()
    server = house.settings.database_url.rsplit("/", 1)[0]
    await asyncio.to_thread(ensure_databases, f"{server}/postgres", NAMES)
    for name in NAMES:
        await asyncio.to_thread(upgrade, f"{server}/{name}")
    settled = QUICK_SETTLED if options.is_quick else SETTLED
    await asyncio.to_thread(fill, f"{server}/{NAMES[1]}", settled, options)
    databases = [Database(f"{server}/{name}", pool_size=1) for name in NAMES]
    times = [Times([], [], [], []) for _ in NAMES]
    try:
        for number in range(WARM_UPS + ROUNDS):
            turn = list(zip(databases, times, strict=True))
            for database, own in turn if number % 2 else reversed(turn):
                await _round(house, database, own if number >= WARM_UPS else Times([], [], [], []))
    finally:
        for database in databases:
            await database.close()
    empty, full = times
    return Sample(
        {
            "inbox.empty_ms": empty.median_ms,
            "inbox.full_ms": full.median_ms,
            "inbox.ratio": full.median_ms / empty.median_ms,
            "inbox.claim_ratio": statistics.median(full.claim_ms)
            / statistics.median(empty.claim_ms),
        },
        [f"beside {settled:,} settled rows", empty.line("empty"), full.line("full")],
    )


async def _round(house: House, database: Database, times: Times) -> None:
    """Accept fifty, claim them, take them, settle them."""
    inbox, batches = Inbox(database), Batches(database)
    deliveries = [_delivery(person) for person in house.people.some(BATCH)]
    began = time.perf_counter()
    for delivery in deliveries:
        await inbox.accept(delivery)
    accepted = time.perf_counter()
    claim = await Claims(database).claim(LEADS, BATCH, max_open=2)
    claimed = time.perf_counter()
    assert claim is not None
    taken = await batches.take(claim.batch_id)
    took = time.perf_counter()
    assert len(taken) == BATCH
    outcome = {"result": "lead", "ms": {"read": 20, "store": 5, "crm": 20}}
    await batches.settle(claim.batch_id, [Settlement(one.id, outcome) for one in taken], jitter=0.5)
    settled = time.perf_counter()
    times.accept_ms.append((accepted - began) * 1000 / BATCH)
    times.claim_ms.append((claimed - accepted) * 1000)
    times.take_ms.append((took - claimed) * 1000)
    times.settle_ms.append((settled - took) * 1000)


def _delivery(person: Person) -> NewDelivery:
    message = message_from_update("main", person.update)
    assert message is not None
    return delivery_from(message, orjson.dumps(person.update))


def fill(dsn: str, settled: int, options: Options) -> None:
    """Bring the inbox to so many settled rows; those of an earlier run are kept."""
    sample = _delivery(Person(1))
    given = {
        "deployment": LEADS,
        "message": orjson.dumps(sample.message).decode(),
        "raw": sample.raw,
    }
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select count(*) from deliveries where state = 'done'").fetchone()
        there = int(row[0]) if row else 0
        if there >= settled:
            return
        for first in range(there // A_STATEMENT * A_STATEMENT, settled, A_STATEMENT):
            chunk = given | {"first": first, "last": min(first + A_STATEMENT, settled)}
            connection.execute(_BATCHES, chunk)
            connection.execute(_DELIVERIES, chunk)
            options.say(f"{chunk['last']:,} settled rows")
        connection.execute("vacuum analyze deliveries")
        connection.execute("vacuum analyze batches")
        connection.execute("checkpoint")
