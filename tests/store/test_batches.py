from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib.domain.batches import MAX_ATTEMPTS
from lib.store.batches import BUSY, CLAIMABLE, INBOX_CHANNEL, RUNS_CHANNEL, Batches, Settlement
from lib.store.engine import Database

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


async def test_what_came_first_is_claimed_first(db: Database) -> None:
    keys = await accepted(db, *(arriving() for _ in range(5)))
    assert await keys_of(db, await claimed(db, limit=3)) == keys[:3]
    assert await keys_of(db, await claimed(db, limit=3)) == keys[3:]
    assert await Batches(db).claim(LEADS, 3, 100) is None


async def test_a_batch_says_its_size_and_its_first_key(db: Database) -> None:
    await accepted(db, arriving("telegram:main:9"), arriving("telegram:main:10"))
    batch_id = await claimed(db)
    assert await Batches(db).describe(batch_id) == (2, "telegram:main:9")


async def test_no_more_batches_are_open_than_allowed(db: Database) -> None:
    await accepted(db, *(arriving() for _ in range(6)))
    batches = Batches(db)
    at_once = await asyncio.gather(*(batches.claim(LEADS, 1, 3) for _ in range(12)))
    opened = [batch_id for batch_id in at_once if batch_id]
    assert len(opened) == 3
    await settled(db, opened[0])
    assert await batches.claim(LEADS, 1, 3) is not None
    assert await batches.claim(LEADS, 1, 3) is None


async def test_deployments_do_not_count_nor_take_each_others(db: Database) -> None:
    await accepted(db, arriving("a"), arriving("b", deployment="calls/main"))
    batches = Batches(db)
    ours = await batches.claim(LEADS, 10, 1)
    theirs = await batches.claim("calls/main", 10, 1)
    assert ours is not None
    assert theirs is not None
    assert (await keys_of(db, ours), await keys_of(db, theirs)) == (["a"], ["b"])


@pytest.mark.parametrize("shared", ["lane", "person"])
async def test_a_chat_and_a_person_are_in_one_open_batch(db: Database, shared: str) -> None:
    await accepted(db, *(arriving(key, **{shared: "one"}) for key in "ab"), arriving("c"))
    first = await claimed(db, limit=1)
    assert await keys_of(db, await claimed(db)) == ["c"]
    assert await Batches(db).claim(LEADS, 10, 100) is None
    await settled(db, first)
    assert await keys_of(db, await claimed(db)) == ["b"]


async def test_all_of_a_chat_goes_together(db: Database) -> None:
    keys = await accepted(db, *(arriving(lane="one") for _ in range(4)))
    assert await keys_of(db, await claimed(db)) == keys


async def test_nothing_overtakes_what_waits_for_a_retry(db: Database) -> None:
    await accepted(db, arriving("a", lane="one"))
    await settled(db, await claimed(db), "Unavailable: away")
    await accepted(db, arriving("b", lane="one"), arriving("c"))
    assert await keys_of(db, await claimed(db)) == ["c"]
    await pauses_end(db)
    assert await keys_of(db, await claimed(db)) == ["a", "b"]


async def test_nothing_overtakes_what_waits_for_its_person(db: Database) -> None:
    # In a group: A is busy in a chat of his own, and B has written after him.
    await accepted(db, arriving("1", lane="private", person="A"))
    busy = await claimed(db)
    await accepted(db, arriving("2", lane="group", person="A"))
    await accepted(db, arriving("3", lane="group", person="B"))
    assert await Batches(db).claim(LEADS, 10, 100) is None
    await settled(db, busy)
    assert await keys_of(db, await claimed(db)) == ["2", "3"]


async def test_the_dead_block_nobody(db: Database) -> None:
    await accepted(db, arriving("a", lane="one", person="A"))
    await Batches(db).settle(await claimed(db), [Settlement(1, error="no", retry=False)], jitter=0)
    await accepted(db, arriving("b", lane="one", person="A"))
    assert await keys_of(db, await claimed(db)) == ["b"]


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
            assert await Batches(db).claim(LEADS, 1, 100) is None
            await pauses_end(db)
    assert waits == [2, 8, 30, 120, 600, 1800, 3600]
    row = (await deliveries(db))[key]
    assert (row["state"], row["error"]) == ("dead", "Unavailable: away")
    assert await Batches(db).claim(LEADS, 1, 100) is None


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
        batch_id = await batches.claim(LEADS, 64, 100)
        if batch_id is None:
            break
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


async def test_attached_and_settled_batches_call_who_listens(db: Database) -> None:
    await accepted(db, arriving())
    batch_id = await claimed(db)
    async with await db.session() as listener:
        await listener.execute(f"listen {RUNS_CHANNEL}")
        await listener.execute(f"listen {INBOX_CHANNEL}")
        await Batches(db).attach(batch_id, uuid4())
        await settled(db, batch_id)
        heard = [n.channel async for n in listener.notifies(timeout=10, stop_after=2)]
    assert heard == [RUNS_CHANNEL, INBOX_CHANNEL]


async def test_a_claim_reads_what_it_takes_and_not_what_is_done_or_waits_behind(
    db: Database,
) -> None:
    await fill(db, 50_000, "done")
    async with db.engine.connect() as connection:
        in_autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await in_autocommit.execute(text("vacuum analyze deliveries"))
    await fill(db, 3000, "received")  # a burst that the planner has not heard of
    busy = await claimed(db, limit=50)

    assert await touched(db, BUSY.text) <= 50
    found = await rows(db, BUSY.text)
    given = {name: [row[name] for row in found] for name in ("lane", "person")}
    at_most = await touched(
        db,
        CLAIMABLE.text,
        deployment=LEADS,
        limit=200,
        lanes=given["lane"],
        persons=given["person"],
    )
    assert at_most <= 3 * (50 + 200)
    assert len(await keys_of(db, busy)) == 50
    assert len(await keys_of(db, await claimed(db, limit=200))) == 200


async def fill(db: Database, number: int, state: str) -> None:
    """Many deliveries of as many people."""
    await run_sql(
        db,
        """
        insert into deliveries (key, deployment, source, lane, person, message, raw, state)
        select :state || n, :deployment, 'telegram', 'lane' || n, 'person' || n, '{}', '{}', :state
        from generate_series(1, :number) n
        """,
        number=number,
        state=state,
        deployment=LEADS,
    )


async def touched(db: Database, statement: str, **values: object) -> int:
    """How many rows of deliveries a statement looks at; by an index alone, or it fails."""
    plan = await rows(db, f"explain (analyze, format json) {statement}", **values)
    number = 0
    for node in _nodes(plan[0]["QUERY PLAN"][0]["Plan"]):
        if node.get("Relation Name") == "deliveries":
            assert "Index" in str(node["Node Type"]), node
            each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            number += round(each * node["Actual Loops"])
    return number


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for each in plan.get("Plans", []) for node in _nodes(each))]
