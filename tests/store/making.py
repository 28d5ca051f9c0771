"""Deliveries and messages for tests of the store, and the tables as they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from lib.domain.inbound import Body, Chat, InboundMessage, Sender
from lib.domain.inquiry import Inquiry, rules_inquiry
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.inbox import Inbox, NewDelivery
from lib.store.leads import ReadMessage
from lib.store.settlements import Settlement
from tests.domain.making import T0, inbound

LEADS = "leads/main"
_keys = count(1)


def arriving(
    key: str | None = None,
    *,
    lane: str | None = None,
    person: str | None = None,
    deployment: str = LEADS,
    raw: str = "{}",
) -> NewDelivery:
    """A delivery; without a lane and a person it has its own."""
    number = next(_keys)
    key = key or f"test:{number}"
    return NewDelivery(
        key=key,
        deployment=deployment,
        source="telegram",
        lane=lane or f"lane:{number}",
        person=person or f"person:{number}",
        message={"key": key},
        raw=raw,
    )


async def accepted(database: Database, *deliveries: NewDelivery) -> list[str]:
    """Put deliveries into the inbox; their keys."""
    inbox = Inbox(database)
    for delivery in deliveries:
        assert await inbox.accept(delivery)
    return [delivery.key for delivery in deliveries]


async def claimed(database: Database, limit: int = 100, max_open: int = 100) -> UUID:
    """A batch of what waits."""
    claim = await Claims(database).claim(LEADS, limit, max_open)
    assert claim is not None
    return claim.batch_id


async def keys_of(database: Database, batch_id: UUID) -> list[str]:
    """What a batch has, in order."""
    return [delivery.key for delivery in await Batches(database).take(batch_id)]


async def settled(database: Database, batch_id: UUID, error: str | None = None) -> list[int]:
    """Settle all of a batch, well or with an error; the dead ones."""
    rows = await Batches(database).take(batch_id)
    return await Batches(database).settle(
        batch_id, [Settlement(row.id, {"result": "lead"}, error) for row in rows], jitter=0
    )


async def rows(database: Database, statement: str, **values: Any) -> list[dict[str, Any]]:
    """What a SELECT gives."""
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(text(statement), values)).mappings()]


async def run_sql(database: Database, statement: str, **values: Any) -> None:
    """A statement that gives nothing."""
    async with database.transaction() as connection:
        await connection.execute(text(statement), values)


async def deliveries(database: Database) -> dict[str, dict[str, Any]]:
    """Every delivery by its key."""
    found = await rows(database, "select * from deliveries order by id")
    return {row["key"]: row for row in found}


async def pauses_end(database: Database) -> None:
    """What waits for a retry is due."""
    await run_sql(
        database, "update deliveries set due_at = now() - interval '1 second' where state='failed'"
    )


async def until_true(condition: Callable[[], Awaitable[object]], within_s: float = 15.0) -> None:
    """Return once the condition holds.

    Raises:
        AssertionError: it did not within the deadline.
    """
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, f"not true within {within_s} s"
        await asyncio.sleep(0.01)


async def came(database: Database, message: InboundMessage) -> int:
    """A message in the inbox; its delivery."""
    new = NewDelivery(
        *(message.event_id, LEADS, message.source, message.lane, message.person),
        message.model_dump(mode="json"),
        "{}",
    )
    await accepted(database, new)
    return int((await deliveries(database))[message.event_id]["id"])


def read(
    delivery_id: int,
    words: str,
    *,
    message_id: int | None = None,
    at: timedelta = timedelta(),
    kind: Literal["new", "edited", "deleted"] = "new",
    chat: int = 7,
    sender: int = 7,
) -> ReadMessage:
    """A message as the rules read it; ``at`` is when it was written, or edited."""
    moment = T0 + at
    number = delivery_id if message_id is None else message_id
    message = InboundMessage(
        event_id=f"telegram:main:{delivery_id}",
        source="telegram",
        account="main",
        kind=kind,
        occurred_at=moment,
        chat=Chat(id=chat),
        message=Body(id=number, text=words, edited_at=moment if kind == "edited" else None),
        sender=Sender(id=sender, display_name="Анна П."),
    )
    return ReadMessage(delivery_id, message, _inquiry(words, kind))


@cache
def _inquiry(words: str, kind: Literal["new", "edited", "deleted"]) -> Inquiry:
    return rules_inquiry(inbound(words, kind=kind))
