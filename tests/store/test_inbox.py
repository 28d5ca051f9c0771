from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from lib.domain.shape import clean_text
from lib.errors import Unavailable
from lib.store.batches import Batches
from lib.store.engine import Database
from lib.store.failures import StatementFailed
from lib.store.inbox import STATES, Inbox, InboxFigures
from lib.store.settlements import Settlement
from tests.support import free_port

from .making import accepted, arriving, claimed, deliveries, pauses_end, rows, run_sql, settled


async def test_a_second_copy_does_nothing(db: Database) -> None:
    first = arriving("telegram:main:1", raw="first")
    assert await Inbox(db).accept(first)
    assert not await Inbox(db).accept(replace(first, raw="second", message={"other": 1}))
    (row,) = (await deliveries(db)).values()
    assert (row["raw"], row["state"], row["attempts"]) == ("first", "received", 0)


async def test_fifty_copies_at_once_are_one(db: Database) -> None:
    copy = arriving("telegram:main:1")
    answers = await asyncio.gather(*(Inbox(db).accept(copy) for _ in range(50)))
    assert answers.count(True) == 1
    assert len(await deliveries(db)) == 1


async def test_a_copy_of_what_is_done_or_dead_does_nothing(db: Database) -> None:
    await accepted(db, arriving("a"), arriving("b"))
    batch_id = await claimed(db)
    named = [Settlement(1), Settlement(2, error="Rejected: no", retry=False)]
    await Batches(db).settle(batch_id, named, jitter=0)
    assert not await Inbox(db).accept(arriving("a"))
    assert not await Inbox(db).accept(arriving("b"))
    assert [row["state"] for row in (await deliveries(db)).values()] == ["done", "dead"]


async def test_counts_name_every_state(db: Database) -> None:
    assert await Inbox(db).counts() == dict.fromkeys(STATES, 0)
    await accepted(db, arriving(), arriving(), arriving())
    await settled(db, await claimed(db, limit=1))
    await claimed(db, limit=1)
    counts = await Inbox(db).counts()
    assert counts == dict.fromkeys(STATES, 0) | {"received": 1, "claimed": 1, "done": 1}


async def test_the_figures_are_of_what_is_not_settled_and_of_batches(db: Database) -> None:
    inbox = Inbox(db)
    assert await inbox.figures() == InboxFigures(0, 0, 0, 0)
    await accepted(db, arriving(), arriving())
    await run_sql(db, "update deliveries set received_at = now() - interval '90 s' where id = 1")
    batch_id = await claimed(db)
    figures = await inbox.figures()
    assert (figures.waiting, figures.open_batches, figures.returned_batches) == (2, 1, 0)
    assert 90 <= figures.oldest_s < 120
    await Batches(db).give_back(batch_id, "gone", jitter=0)
    for _ in range(2):  # a crash makes the next batches smaller
        await pauses_end(db)
        await settled(db, await claimed(db))
    assert await inbox.figures() == InboxFigures(0, 0, 0, 1)


async def test_the_newest_come_first_and_one_state_can_be_picked(db: Database) -> None:
    keys = await accepted(db, *(arriving() for _ in range(5)))
    await settled(db, await claimed(db, limit=2))
    inbox = Inbox(db)
    assert [view.key for view in await inbox.newest()] == keys[::-1]
    assert [view.key for view in await inbox.newest(limit=2)] == keys[:2:-1]
    assert [view.key for view in await inbox.newest("done")] == [keys[1], keys[0]]
    assert await inbox.newest("dead") == []


async def test_a_delivery_is_shown_by_key_and_by_number(db: Database) -> None:
    await accepted(db, arriving("telegram:main:5", raw='{"update_id": 5}'))
    batch_id = await claimed(db)
    run_id = batch_id  # any id serves
    await Batches(db).attach(batch_id, run_id)
    inbox = Inbox(db)
    by_key, by_number = await inbox.show("telegram:main:5"), await inbox.show("1")
    assert by_key is not None
    assert by_key == by_number
    assert (by_key.raw, by_key.flow_run_id, by_key.state) == ('{"update_id": 5}', run_id, "claimed")


@pytest.mark.parametrize("key", ["telegram:main:6", "2", "²", "9" * 19, "9" * 5000, "-1", ""])
async def test_what_is_not_there_is_not_shown_nor_retried(db: Database, key: str) -> None:
    await accepted(db, arriving("telegram:main:5"))
    assert await Inbox(db).show(key) is None
    assert await Inbox(db).retry([key]) == 0


async def test_the_dead_come_back_as_if_new(db: Database) -> None:
    keys = await accepted(db, *(arriving() for _ in range(4)))
    batch_id = await claimed(db)
    dead = [Settlement(number, error="Rejected: no", retry=False) for number in (1, 2, 3)]
    assert await Batches(db).settle(batch_id, [*dead, Settlement(4)], jitter=0) == [1, 2, 3]
    inbox = Inbox(db)
    assert await inbox.retry([keys[0], "2", keys[3]]) == 2
    first = (await deliveries(db))[keys[0]]
    assert (first["state"], first["attempts"], first["batch_id"]) == ("received", 0, None)
    assert first["settled_at"] is None
    assert await inbox.retry() == 1
    assert await inbox.retry() == 0
    again = await Batches(db).take(await claimed(db))
    assert [delivery.key for delivery in again] == keys[:3]


any_text = st.text(st.characters(exclude_categories=()), max_size=200)


@settings(max_examples=60)
@given(any_text)
async def test_every_cleaned_text_comes_back_as_it_was_stored(db: Database, words: str) -> None:
    cleaned = clean_text(words, 100)
    delivery = replace(arriving(raw=cleaned), message={"text": cleaned, cleaned: 1})
    assert await Inbox(db).accept(delivery)
    shown = await Inbox(db).show(delivery.key)
    stored = await rows(db, "select message from deliveries where key = :key", key=delivery.key)
    assert shown is not None
    assert (shown.raw, stored[0]["message"]) == (cleaned, delivery.message)


async def test_a_database_that_never_answers_is_unavailable() -> None:
    nowhere = Database(f"postgresql://potok:secret-word@127.0.0.1:{free_port()}/potok")
    try:
        with pytest.raises(Unavailable) as caught:
            await Inbox(nowhere).accept(arriving())
        with pytest.raises(Unavailable):
            await nowhere.check()
        with pytest.raises(Unavailable):
            await nowhere.session()
        assert "secret-word" not in str(caught.value)
    finally:
        await nowhere.close()


async def test_a_connection_that_breaks_commits_nothing_and_the_next_one_works(
    db: Database,
) -> None:
    async def broken() -> None:
        async with db.transaction() as connection:
            await connection.execute(
                text("insert into batches values (gen_random_uuid(), 'leads/main', 1)")
            )
            await connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable):
        await broken()
    assert await rows(db, "select * from batches") == []
    assert await Inbox(db).accept(arriving())


async def test_more_callers_than_connections_take_turns(db: Database) -> None:
    answers = await asyncio.gather(*(Inbox(db).accept(arriving()) for _ in range(60)))
    assert all(answers)
    assert await rows(db, "select count(*) as n from deliveries") == [{"n": 60}]


async def test_what_arrives_together_is_committed_together(db: Database) -> None:
    inbox = Inbox(db)
    answers = await asyncio.gather(*(inbox.accept(arriving(f"k{n % 40}")) for n in range(50)))
    assert answers == [True] * 40 + [False] * 10
    commits = await rows(db, "select count(distinct xmin::text) as n from deliveries")
    assert commits == [{"n": 1}]


async def test_what_postgres_refuses_fails_alone(db: Database) -> None:
    inbox = Inbox(db)
    bad = replace(arriving("bad"), message={"text": "nul \x00"})
    found = await asyncio.gather(
        *(inbox.accept(each) for each in (arriving("a"), arriving("b"), bad, arriving("c"))),
        return_exceptions=True,
    )
    assert [found[0], found[1], found[3]] == [True, True, True]
    assert isinstance(found[2], StatementFailed)
    assert sorted(await deliveries(db)) == ["a", "b", "c"]
