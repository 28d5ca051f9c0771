"""Rates that hold over all processes, without a round trip for each call.

A bucket in PostgreSQL holds calls and fills steadily; a process takes some calls out of it at a
time and gives them away by itself. What it does not give away in five seconds is lost.

A bucket holds a sixth of a minute's calls, but ten at least, for tools ask in bursts: an editor
asks for the text and its title at once. Of a rate below ten it holds a whole minute's: who may call
three times a minute may do so at once, and then every 20 s. So a minute carries ``rpm`` calls in
the long run; one that begins with a full bucket carries that besides, and what each process had
taken out before (a twentieth).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from lib.store.engine import Database
from lib.store.llm.patience import Patience
from lib.store.llm.rows import rows

BUCKET = 6  # a bucket holds rpm / 6 calls, ten seconds' worth
LEAST = 10  # or as many, where a minute has them
LEASE = 20  # a process takes rpm / 20 calls, three seconds' worth
LEASE_S = 5.0
ANSWERS_WITHIN_S = 3.0
RESTS_S = 1.0

# By the database's clock: fill the bucket, then take what is asked for, or what there is. The
# upsert locks the row: two processes take one after the other.
_TAKE = """
    with filled as (
      insert into llm_rates as r (key_id, tokens, taken, at)
      values (%(key)s, %(holds)s, least(%(want)s, floor(%(holds)s)), clock_timestamp())
      on conflict (key_id) do update set
        at = clock_timestamp(),
        tokens = least(%(holds)s, r.tokens - r.taken + %(per_s)s
          * greatest(extract(epoch from clock_timestamp() - r.at), 0)),
        taken = least(%(want)s, floor(least(%(holds)s, r.tokens - r.taken + %(per_s)s
          * greatest(extract(epoch from clock_timestamp() - r.at), 0))))
      returning taken, tokens
    ) select taken, tokens from filled
"""


def burst_of(rpm: int) -> float:
    """How many calls of a key may come at once."""
    return min(float(rpm), max(float(LEAST), rpm / BUCKET))


@dataclass(slots=True)
class _Lease:
    calls: int = 0
    until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Rates:
    """The rates of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._leases: dict[int, _Lease] = {}
        self._patience = Patience(ANSWERS_WITHIN_S, RESTS_S)

    async def take(self, key_id: int, rpm: int) -> float:
        """Take one call.

        Returns:
            0 when it may go; else the seconds until one may.

        Raises:
            Unavailable: the database is away, or does not answer in time.
        """
        lease = self._leases.setdefault(key_id, _Lease())
        async with lease.lock:
            now = time.monotonic()
            wait_s = 0.0
            if lease.calls < 1 or now >= lease.until:
                lease.calls, wait_s = await self._leased(key_id, rpm)
                lease.until = time.monotonic() + LEASE_S
            if lease.calls < 1:
                return wait_s
            lease.calls -= 1
            return 0.0

    async def _leased(self, key_id: int, rpm: int) -> tuple[int, float]:
        """Calls taken out of the bucket, up to a lease; and the seconds until one is in it."""
        wanted = {
            "key": key_id,
            "holds": burst_of(rpm),
            "want": max(1, rpm // LEASE),
            "per_s": rpm / 60.0,
        }
        found = await self._patience.ask(lambda: rows(self._database, _TAKE, wanted))
        calls, tokens = int(found[0]["taken"]), float(found[0]["tokens"])
        return calls, max(1.0 - tokens, 0.001) * 60.0 / rpm
