"""Who gets which deliveries."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lib.store.batches import Batches
from lib.store.claims import CLAIMABLE, Claims
from lib.store.engine import Database
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


async def test_what_came_first_is_claimed_first(db: Database) -> None:
    keys = await accepted(db, *(arriving() for _ in range(5)))
    assert await keys_of(db, await claimed(db, limit=3)) == keys[:3]
    assert await keys_of(db, await claimed(db, limit=3)) == keys[3:]
    assert await Claims(db).claim(LEADS, 3, 100) is None


async def test_a_batch_says_its_size_and_its_first_key(db: Database) -> None:
    await accepted(db, arriving("telegram:main:9"), arriving("telegram:main:10"))
    claim = await Claims(db).claim(LEADS, 10, 1)
    assert claim is not None
    assert (claim.size, claim.first_key) == (2, "telegram:main:9")


async def test_no_more_batches_are_open_than_allowed(db: Database) -> None:
    await accepted(db, *(arriving() for _ in range(6)))
    claims = Claims(db)
    at_once = await asyncio.gather(*(claims.claim(LEADS, 1, 3) for _ in range(12)))
    opened = [claim for claim in at_once if claim]
    assert len(opened) == 3
    await settled(db, opened[0].batch_id)
    assert await claims.claim(LEADS, 1, 3) is not None
    assert await claims.claim(LEADS, 1, 3) is None


async def test_deployments_do_not_count_nor_take_each_others(db: Database) -> None:
    await accepted(db, arriving("a"), arriving("b", deployment="calls/main"))
    claims = Claims(db)
    ours = await claims.claim(LEADS, 10, 1)
    theirs = await claims.claim("calls/main", 10, 1)
    assert ours is not None
    assert theirs is not None
    assert await keys_of(db, ours.batch_id) == ["a"]
    assert await keys_of(db, theirs.batch_id) == ["b"]


@pytest.mark.parametrize("shared", ["lane", "person"])
async def test_a_chat_and_a_person_are_in_one_open_batch(db: Database, shared: str) -> None:
    await accepted(db, *(arriving(key, **{shared: "one"}) for key in "ab"), arriving("c"))
    first = await claimed(db, limit=1)
    assert await keys_of(db, await claimed(db)) == ["c"]
    assert await Claims(db).claim(LEADS, 10, 100) is None
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
    assert await Claims(db).claim(LEADS, 10, 100) is None
    await settled(db, busy)
    assert await keys_of(db, await claimed(db)) == ["2", "3"]


async def test_the_dead_block_nobody(db: Database) -> None:
    await accepted(db, arriving("a", lane="one", person="A"))
    await Batches(db).settle(await claimed(db), [Settlement(1, error="no", retry=False)], jitter=0)
    await accepted(db, arriving("b", lane="one", person="A"))
    assert await keys_of(db, await claimed(db)) == ["b"]


async def test_a_claim_reads_what_it_takes_and_not_what_is_done_or_waits_behind(
    db: Database,
) -> None:
    await fill(db, 50_000, "done")
    async with db.engine.connect() as connection:
        in_autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await in_autocommit.execute(text("vacuum analyze deliveries"))
    await fill(db, 3000, "received")  # a burst that the planner has not heard of
    busy = await claimed(db, limit=50)

    at_most = await touched(db, CLAIMABLE.text, deployment=LEADS, limit=200, max_open=9, only=None)
    assert at_most <= 3 * (3 * 50 + 200)
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


async def test_a_run_that_a_person_repeats_gets_what_its_batch_has_not_done(db: Database) -> None:
    keys = await accepted(db, *(arriving(key) for key in "abcd"))
    batch_id = await claimed(db)
    fates = [
        Settlement(1, {"result": "lead"}),
        Settlement(2, error="Rejected: no", retry=False),
        Settlement(3, error="Unavailable: away"),
    ]
    await Batches(db).settle(batch_id, fates, jitter=0)
    others = await claimed(db)
    assert await keys_of(db, others) == ["d"], "which another run has got meanwhile"

    again = await Claims(db).reopen(batch_id)
    assert again is not None
    assert (again.batch_id, again.size, again.first_key) == (batch_id, 2, "b")
    assert await keys_of(db, batch_id) == ["b", "c"]
    assert {batch.id for batch in await Batches(db).open()} == {batch_id, others}
    await settled(db, batch_id)
    assert [row["state"] for row in (await deliveries(db)).values()] == [
        *("done", "done", "done", "claimed")
    ]
    assert len(keys) == 4


async def test_a_batch_that_is_open_or_all_done_is_not_opened_again(db: Database) -> None:
    await accepted(db, arriving())
    batch_id = await claimed(db)
    assert await Claims(db).reopen(batch_id) is None
    assert len(await keys_of(db, batch_id)) == 1
    await settled(db, batch_id)
    assert await Claims(db).reopen(batch_id) is None
    assert await Batches(db).open() == []


async def test_a_repeated_run_takes_no_chat_that_another_run_works_on(db: Database) -> None:
    await accepted(db, arriving("a", lane="one"))
    batch_id = await claimed(db)
    await settled(db, batch_id, "Unavailable: away")
    await accepted(db, arriving("b", lane="one"))
    await run_sql(db, "update deliveries set state = 'dead' where key = 'a'")
    others = await claimed(db)
    assert await keys_of(db, others) == ["b"]
    assert await Claims(db).reopen(batch_id) is None
    await settled(db, others)
    assert await Claims(db).claim(LEADS, 10, 10) is not None, "as new: it waits its turn"


async def test_a_clock_that_is_put_back_holds_nothing_up(db: Database) -> None:
    await accepted(db, arriving("a", lane="one"))
    await settled(db, await claimed(db), "Unavailable: away")
    await accepted(db, arriving("b", lane="one"))
    assert await Claims(db).claim(LEADS, 10, 10) is None
    later = "update deliveries set due_at = due_at + :by, failed_at = failed_at + :by"
    await run_sql(db, later, by=timedelta(hours=1))  # as if it were an hour earlier now
    assert await keys_of(db, await claimed(db)) == ["a", "b"]
