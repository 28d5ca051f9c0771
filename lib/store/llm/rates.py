"""Rates that hold over all processes, without a round trip for each call.

A bucket in PostgreSQL holds calls and fills steadily; a process takes some calls out of it at a
time and gives them away by itself. What it does not give away in five seconds is lost.

In any minute at most ``rpm``, a bucket full (a sixth of it) and what each process had taken out
before (a twentieth) come through.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from lib.store.engine import Database
from lib.store.llm.rows import rows

BUCKET = 6  # a bucket holds rpm / 6 calls, ten seconds' worth
LEASE = 20  # a process takes rpm / 20 calls, three seconds' worth
LEASE_S = 5.0

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

    async def take(self, key_id: int, rpm: int) -> float:
        """Take one call.

        Returns:
            0 when it may go; else the seconds until one may.
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
        found = await rows(
            self._database,
            _TAKE,
            {
                "key": key_id,
                "holds": max(1.0, rpm / BUCKET),
                "want": max(1, rpm // LEASE),
                "per_s": rpm / 60.0,
            },
        )
        calls, tokens = int(found[0]["taken"]), float(found[0]["tokens"])
        return calls, max(1.0 - tokens, 0.001) * 60.0 / rpm
