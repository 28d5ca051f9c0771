"""Keys and calls for tests of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lib.domain.llm.keys import key_hash
from lib.store.engine import Database
from lib.store.llm.calls import Call
from lib.store.llm.keys import Key, Keys, NewKey

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
_CALL = Call(
    at=NOON,
    key_id=None,
    caller="leads",
    door="chat",
    alias="main",
    provider="ollama",
    model="qwen3:30b",
    prompt_tokens=10,
    cached_tokens=0,
    completion_tokens=5,
    price_usd=None,
    first_token_ms=100.0,
    total_ms=200.0,
    outcome="ok",
    status=200,
    reason=None,
    tries=[],
    texts=None,
)


def call(usd: str | None = None, **changes: Any) -> Call:
    """A call as any other, but for some fields."""
    return replace(_CALL, price_usd=None if usd is None else Decimal(usd), **changes)


async def made(database: Database, name: str, **limits: Any) -> Key:
    """A new key, as it is read."""
    keys = Keys(database)
    hashed = key_hash(await keys.create(NewKey(name, limits.pop("names", ("*",)), **limits)))
    return next(key for key in await keys.all() if key.hash == hashed)


async def fetched(database: Database, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    async with database.autocommit() as connection:
        return await (await connection.execute(statement.encode(), values)).fetchall()
