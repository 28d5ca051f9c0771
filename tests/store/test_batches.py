from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from lib.domain.batches import MAX_ATTEMPTS
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.inbox import CHANNEL
from lib.store.settlements import Settlement

from .making import (
    LEADS,
    accepted,
    arriving,
    claimed,
    deliveries,
    keys_of,
    pauses_end,
    rows,
    run_sql,
    settled,
)


async def states(db: Database) -> dict[str, str]:
    return {key: row["state"] for key, row in (await deliveries(db)).items()}


async def wait_s(db: Database, key: str) -> float:
    """In how many seconds a delivery is due."""
    due_at = (await deliveries(db))[key]["due_at"]
    return float((due_at - datetime.now(UTC)).total_seconds())


async def test_what_a_settlement_does_not_name_goes_back_uncounted(db: Database) -> None:
    keys = await accepted(db, *(arriving() for _ in range(3)))
    batch_id = await claimed(db)
    named = [Settlement(1, {"result": "lead"}), Settlement(3, counted=False)]
    assert await Batches(db).settle(batch_id, named, jitter=0) == []
    found = await deliveries(db)
    assert [found[key]["state"] for key in keys] == ["done", "received", "received"]
    assert [found[key]["attempts"] for key in keys] == [0, 0, 0]
    assert found[keys[0]]["outcome"] == {"result": "lead"}
    assert found[keys[0]]["settled_at"] is not None
    assert found[keys[1]]["settled_at"] is None
    assert await keys_of(db, await claimed(db)) == keys[1:]


async def test_the_pauses_grow_until_it_is_dead(db: Database) -> None:
    (key,) = await accepted(db, arriving())
    waits: list[int] = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        dead = await settled(db, await claimed(db), "Unavailable: away")
        assert dead == ([1] if attempt == MAX_ATTEMPTS else [])
        assert (await deliveries(db))[key]["attempts"] == attempt
        if not dead:
            waits.append(round(await wait_s(db, key)))
            assert await Claims(db).claim(LEADS, 1, 100) is None
            await pauses_end(db)
    assert waits == [2, 8, 30, 120, 600, 1800, 3600]
    row = (await deliveries(db))[key]
    assert (row["state"], row["error"]) == ("dead", "Unavailable: away")
    assert await Claims(db).claim(LEADS, 1, 100) is None


async def test_a_longer_pause_is_kept_when_the_far_side_asks(db: Database) -> None:
    keys = await accepted(db, arriving(), arriving())
    named = [
        Settlement(1, error="RateLimited: wait", retry_after_s=500),
        Settlement(2, error="RateLimited: wait", retry_after_s=0.5),
    ]
    await Batches(db).settle(await claimed(db), named, jitter=0)
    assert 490 < await wait_s(db, keys[0]) <= 500
    assert 1 < await wait_s(db, keys[1]) <= 2


async def test_no_error_text_can_stop_a_settlement(db: Database) -> None:
    keys = await accepted(db, arriving(), arriving(), arriving())
    named = [
        Settlement(1, error="nul \x00 half \ud800 pair"),
        Settlement(2, error="ж" * 100_000),
        Settlement(3),
    ]
    await Batches(db).settle(await claimed(db), named, jitter=0)
    found = await deliveries(db)
    assert [found[key]["state"] for key in keys] == ["failed", "failed", "done"]
    assert "\x00" not in found[keys[0]]["error"]
    assert len(found[keys[1]]["error"]) == 1000


async def test_a_run_that_lost_its_batch_changes_nothing(db: Database) -> None:
    await accepted(db, *(arriving() for _ in range(4)))
    lost = await claimed(db)
    lost_ids = [delivery.id for delivery in await Batches(db).take(lost)]
    await Batches(db).give_back(lost, "its process is gone", jitter=0)
    late = [Settlement(number, {"late": True}) for number in lost_ids]
    before = await deliveries(db)
    assert await Batches(db).settle(lost, late, jitter=0) == []
    assert await deliveries(db) == before

    await pauses_end(db)
    taken = await claimed(db)  # another run has some of them now
    before = await deliveries(db)
    assert await Batches(db).take(lost) == []
    assert await Batches(db).settle(lost, late, jitter=0) == []
    assert await Batches(db).give_back(lost, "twice", jitter=0) == []
    assert await deliveries(db) == before
    assert [batch.id for batch in await Batches(db).open()] == [taken]


async def test_a_batch_that_is_settled_and_given_back_at_once_ends_once(db: Database) -> None:
    batches = Batches(db)
    for _ in range(10):
        await accepted(db, *(arriving() for _ in range(5)))
        batch_id = await claimed(db)
        ids = [delivery.id for delivery in await batches.take(batch_id)]
        await asyncio.gather(
            batches.settle(batch_id, [Settlement(i) for i in ids], jitter=0),
            batches.give_back(batch_id, "gone", jitter=0),
        )
        of_batch = {r["state"] for r in (await deliveries(db)).values() if r["id"] in ids}
        (batch,) = await rows(db, "select ended from batches where id = :id", id=batch_id)
        assert (of_batch, batch["ended"]) in [({"done"}, "settled"), ({"failed"}, "returned")]


async def test_what_kills_its_process_is_alone_in_the_end(db: Database) -> None:
    keys = await accepted(db, *(arriving() for _ in range(64)))
    poison, sizes = keys[37], []
    batches = Batches(db)
    for _ in range(60):
        await pauses_end(db)
        claim = await Claims(db).claim(LEADS, 64, 100)
        if claim is None:
            break
        batch_id = claim.batch_id
        batch = await keys_of(db, batch_id)
        if poison in batch:
            sizes.append(len(batch))
            await batches.give_back(batch_id, "its process is gone", jitter=0)
        else:
            await settled(db, batch_id)
    assert sizes == [64, 16, 4, 1, 1, 1, 1, 1]
    found = await deliveries(db)
    assert found.pop(poison)["state"] == "dead"
    assert {row["state"] for row in found.values()} == {"done"}
    assert max(row["attempts"] for row in found.values()) == 3


async def test_a_dead_run_counts_as_an_attempt_of_each(db: Database) -> None:
    await accepted(db, arriving(), arriving())
    await run_sql(db, "update deliveries set attempts = :n where id = 1", n=MAX_ATTEMPTS - 1)
    dead = await Batches(db).give_back(await claimed(db), "its process is gone", jitter=0)
    assert dead == [1]
    assert list((await states(db)).values()) == ["dead", "failed"]


async def test_what_is_accepted_and_what_is_settled_calls_who_listens(db: Database) -> None:
    async with await db.session() as listener:
        await listener.execute(f"listen {CHANNEL}")
        await accepted(db, arriving())
        await settled(db, await claimed(db))
        heard = [n.channel async for n in listener.notifies(timeout=10, stop_after=2)]
    assert heard == [CHANNEL] * 2


async def test_a_batch_that_no_run_ever_had_goes_back_uncounted(db: Database) -> None:
    await accepted(db, arriving(), arriving())
    batch_id = await claimed(db)
    await Batches(db).release(batch_id)
    assert [(r["state"], r["attempts"]) for r in (await deliveries(db)).values()] == [
        ("received", 0)
    ] * 2
    (batch,) = await rows(db, "select ended from batches")
    assert batch["ended"] == "released"
    assert len(await keys_of(db, await claimed(db))) == 2
