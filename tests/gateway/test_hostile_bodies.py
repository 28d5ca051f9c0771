"""Ten thousand generated bodies: every one is answered, and none with a 5xx."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

import httpx
import pytest

from lib.domain.inbound import InboundMessage
from lib.store.engine import Database
from tests.gateway.bodies import Bodies
from tests.gateway.doors import SECRET, Doors, doors_of, signature
from tests.store.making import deliveries

A_DOOR = 5000
AT_ONCE = 16
ANSWERS = {200, 401, 413, 422}


async def posted(make: Callable[[], bytes], post: Callable[[bytes], object]) -> Counter[str]:
    """Post bodies, some at once; what was answered, counted."""
    seen: Counter[str] = Counter()
    left = iter(range(A_DOOR))

    async def caller() -> None:
        for _ in left:
            raw = make()
            answer = await post(raw)  # type: ignore[misc]
            assert isinstance(answer, httpx.Response)
            assert answer.status_code in ANSWERS, (answer.status_code, raw[:2000])
            body = answer.json()
            assert body["ok"] == (answer.status_code == 200)
            assert body["ok"] or body["detail"]
            seen[body.get("result") or str(answer.status_code)] += 1

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return seen


@pytest.mark.parametrize("door", ["telegram", "forwarder"])
async def test_no_body_is_answered_with_a_5xx(database: str, db: Database, door: str) -> None:
    random, bodies = Random(7), Bodies(seed=7)
    pool = Database(database, pool_size=AT_ONCE // 2)

    async def forwarder(doors: Doors, raw: bytes) -> httpx.Response:
        headers = signature(raw, SECRET) if random.random() < 0.95 else signature(raw + b" ")
        return await doors.forwarder(raw, headers=headers)

    async with doors_of(pool) as doors:
        if door == "telegram":
            seen = await posted(bodies.update, doors.telegram)
        else:
            seen = await posted(bodies.message, lambda raw: forwarder(doors, raw))
    await pool.close()

    assert seen.total() == A_DOOR
    # The generator is worth something only while it reaches every room behind the door.
    assert seen["accepted"] > A_DOOR / 5
    assert seen["422"] > A_DOOR / 10
    assert seen["duplicate"] > 0
    found = await deliveries(db)
    assert len(found) == seen["accepted"]
    for key, row in found.items():
        message = InboundMessage.model_validate(row["message"])
        assert (message.event_id, message.lane) == (key, row["lane"])
