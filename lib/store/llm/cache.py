"""Answers that are still good: in PostgreSQL, or in Valkey (Redis) when there is one."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from lib.errors import Unavailable
from lib.store.engine import Database
from lib.store.failures import StatementFailed
from lib.store.llm.patience import Patience
from lib.store.llm.rows import rows

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

VALUE_LIMIT_BYTES = 1_000_000
PRUNE_EVERY_S = 60.0
TIMEOUT_S = 0.5  # a cache that is slower than that is none
RESTS_S = 5.0
PREFIX = b"potok:llm:"

_GET = "select value from llm_cache where key = %s and expires_at > clock_timestamp()"
_PUT = """
    insert into llm_cache (key, value, expires_at)
    values (%s, %s, clock_timestamp() + make_interval(secs => %s))
    on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at
"""
_PRUNE = "delete from llm_cache where expires_at <= clock_timestamp()"


class Cache(Protocol):
    """Values by key, for a time. One that is away knows nothing, and fails nobody."""

    async def get(self, key: bytes) -> bytes | None:
        """The value, if it is there and still good."""

    async def put(self, key: bytes, value: bytes, for_s: float) -> None:
        """Keep a value; one above ``VALUE_LIMIT_BYTES`` is not kept."""


class PostgresCache:
    """In a table that is not logged: a crash of PostgreSQL empties it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pruned_at = time.monotonic()
        self._patience = Patience(TIMEOUT_S, RESTS_S)

    async def get(self, key: bytes) -> bytes | None:
        """The value, if it is there and still good."""
        try:
            found = await self._patience.ask(lambda: rows(self._database, _GET, (key,)))
        except (Unavailable, StatementFailed) as exc:
            log.warning("cache.away reason=%s", exc)
            return None
        return bytes(found[0]["value"]) if found else None

    async def put(self, key: bytes, value: bytes, for_s: float) -> None:
        """Keep a value; now and then forget what is no longer good."""
        if len(value) > VALUE_LIMIT_BYTES:
            return
        try:
            await self._patience.ask(lambda: rows(self._database, _PUT, (key, value, for_s)))
            if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
                self._pruned_at = time.monotonic()
                await self._patience.ask(lambda: rows(self._database, _PRUNE))
        except (Unavailable, StatementFailed) as exc:
            log.warning("cache.away reason=%s", exc)


class RedisCache:
    """In Valkey or Redis, under ``potok:llm:``."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis  # the extra `redis`

        self._redis: Redis = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def get(self, key: bytes) -> bytes | None:
        """The value, if it is there and still good."""
        from redis import RedisError

        try:
            found = await self._redis.get(PREFIX + key)
        except (RedisError, OSError, TimeoutError) as exc:
            log.warning("cache.away kind=%s", type(exc).__name__)
            return None
        return found if isinstance(found, bytes) else None

    async def put(self, key: bytes, value: bytes, for_s: float) -> None:
        """Keep a value."""
        from redis import RedisError

        if len(value) > VALUE_LIMIT_BYTES:
            return
        try:
            await self._redis.set(PREFIX + key, value, px=max(1, round(for_s * 1000)))
        except (RedisError, OSError, TimeoutError) as exc:
            log.warning("cache.away kind=%s", type(exc).__name__)
