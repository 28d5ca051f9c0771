"""Calls in PostgreSQL: each once, whose they are, what follows of a change, how far was read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.domain.calls import Call, counts_of
from lib.store.calls import Calls, CrmCount
from lib.store.engine import Database
from tests.domain.making import T0
from tests.store.making import deliveries, rows, run_sql

HOUR = timedelta(hours=1)


async def a_lead(db: Database, lead_id: int, crm_id: int | None, opened_at: datetime = T0) -> None:
    await run_sql(
        db,
        "insert into leads (id, origin, source, person, read_by, opened_at, last_message_at,"
        " version, crm_id) values (:id, 'test:' || :id, 'telegram', 'p', 'rules', :at, :at, 1,"
        " :crm_id)",
        id=lead_id,
        crm_id=crm_id,
        at=opened_at,
    )


def a_call(number: int, *crm_ids: int, **changed: Any) -> Call:
    """An answered incoming call of a minute, an hour after T0, of these leads of the CRM."""
    call = Call(number, "in", "answered", 60, T0 + HOUR, f"c.{number}", crm_ids=crm_ids)
    if crm_ids:
        call = replace(call, entity_type="LEAD", entity_id=crm_ids[0])
    return replace(call, **changed)


async def leads_of_calls(db: Database) -> dict[int, int | None]:
    found = await rows(db, "select id, lead_id from calls order by id")
    return {row["id"]: row["lead_id"] for row in found}


async def told(db: Database) -> list[tuple[str, int]]:
    """The events in the inbox, as (deployment, lead)."""
    found = (await deliveries(db)).values()
    return sorted((row["deployment"], row["message"]["lead_id"]) for row in found)


async def test_a_call_is_one_row_and_counting_again_changes_nothing(db: Database) -> None:
    await a_lead(db, 1, 71)
    calls = Calls(db)
    first = await calls.save([a_call(5, 71), a_call(6, 71), a_call(7)])
    assert (first.new, first.lead_ids) == (3, {1})
    before = await rows(db, "select * from calls order by id")
    again = await calls.save([a_call(5, 71), a_call(6, 71), a_call(7)])
    assert (again.new, again.lead_ids) == (0, set())
    assert await rows(db, "select * from calls order by id") == before
    assert await told(db) == [("calls/main", 1), ("scoring/main", 1)]


async def test_a_change_is_told_and_what_waits_is_not_told_twice(db: Database) -> None:
    await a_lead(db, 1, 71)
    calls = Calls(db)
    await calls.save([a_call(5, 71)])
    changed = await calls.save([a_call(5, 71, seconds=61)])
    assert (changed.new, changed.lead_ids) == (0, {1})
    assert len(await told(db)) == 2
    await run_sql(db, "update deliveries set state = 'claimed'")
    await calls.save([a_call(5, 71, seconds=62)])
    assert len(await told(db)) == 4


async def test_an_event_that_is_being_claimed_is_told_again(db: Database) -> None:
    await a_lead(db, 1, 71)
    calls = Calls(db)
    await calls.save([a_call(5, 71)])
    async with db.transaction() as connection:
        await connection.exec_driver_sql("select id from deliveries for update")
        await asyncio.wait_for(calls.save([a_call(6, 71)]), 5)
    assert len(await told(db)) == 4


async def test_a_call_that_moves_changes_both_leads(db: Database) -> None:
    await a_lead(db, 1, 71)
    await a_lead(db, 2, 72)
    calls = Calls(db)
    await calls.save([a_call(5, 71)])
    moved = await calls.save([a_call(5, 72)])
    assert moved.lead_ids == {1, 2}
    assert await leads_of_calls(db) == {5: 2}
    assert set(await calls.counts()) == {2}
    gone = await calls.save([a_call(5, 99)])  # to a lead that is none of ours
    assert gone.lead_ids == {2}
    assert await leads_of_calls(db) == {5: None}


async def test_a_lead_that_is_known_stays_when_the_portal_names_a_contact(db: Database) -> None:
    await a_lead(db, 1, 71)
    calls = Calls(db)
    await calls.save([a_call(5, 71)])
    converted = a_call(5, entity_type="CONTACT", entity_id=3)
    assert (await calls.save([converted])).lead_ids == set()
    [row] = await rows(db, "select entity_type, entity_id, lead_id from calls")
    assert tuple(row.values()) == ("LEAD", 71, 1)


async def test_a_lead_that_is_placed_anew_keeps_its_calls(db: Database) -> None:
    await a_lead(db, 1, 71)
    calls = Calls(db)
    await calls.save([a_call(5, 71)])
    await run_sql(db, "update leads set crm_id = 99")
    await calls.save([a_call(5, 71)])
    assert await leads_of_calls(db) == {5: 1}


async def test_of_leads_that_are_one_in_the_crm_the_last_before_the_call_has_it(
    db: Database,
) -> None:
    for lead_id, hours in ((1, 0), (2, 2), (3, 4)):
        await a_lead(db, lead_id, 71, T0 + hours * HOUR)
    calls = Calls(db)
    await calls.save([a_call(n, 71, started_at=T0 + n * HOUR) for n in (1, 2, 3, 9)])
    await calls.save([a_call(20, 71, started_at=T0 - HOUR)])
    assert await leads_of_calls(db) == {1: 1, 2: 2, 3: 2, 9: 3, 20: 1}
    assert await calls.for_crm([1, 2]) == [CrmCount(71, (1, 2), 5)]


async def test_of_several_bound_leads_ours_has_the_call(db: Database) -> None:
    await a_lead(db, 1, 72)
    await Calls(db).save([a_call(5, 71, 72, 73)])
    [row] = await rows(db, "select entity_type, entity_id, lead_id from calls")
    assert tuple(row.values()) == ("LEAD", 72, 1)


async def test_calls_that_were_before_their_lead_are_adopted(db: Database) -> None:
    calls = Calls(db)
    await calls.save([a_call(5, 71), a_call(6, 99), a_call(7, entity_type="CONTACT", entity_id=71)])
    assert await calls.adopt() == set()
    await a_lead(db, 1, 71)
    assert await calls.adopt() == {1}
    assert await leads_of_calls(db) == {5: 1, 6: None, 7: None}
    assert await calls.adopt() == set()
    assert await told(db) == [("calls/main", 1), ("scoring/main", 1)]


async def test_the_first_answer_is_the_first_answered_call_since_the_lead_was_opened(
    db: Database,
) -> None:
    await a_lead(db, 1, 71)
    calls = Calls(db)
    await calls.save(
        [
            a_call(1, 71, started_at=T0 - HOUR),
            a_call(2, 71, started_at=T0 + HOUR, outcome="missed"),
            a_call(4, 71, started_at=T0 + 4 * HOUR),
            a_call(3, 71, started_at=T0 + 3 * HOUR),
        ]
    )
    [lead] = await rows(db, "select answered_at from leads")
    assert lead["answered_at"] == T0 + 3 * HOUR
    await calls.save([a_call(5, 71, started_at=T0 + 2 * HOUR)])
    [lead] = await rows(db, "select answered_at from leads")
    assert lead["answered_at"] == T0 + 3 * HOUR


async def test_the_watermark_is_written_with_the_calls_or_not_at_all(db: Database) -> None:
    calls = Calls(db)
    assert (await calls.where_read()).at is None
    await calls.save([a_call(5)], T0)
    await calls.save([a_call(6)], T0 - HOUR)
    found = await calls.where_read()
    assert (found.at, found.last_id) == (T0, 6)
    await calls.set_back(T0 - HOUR)
    await calls.set_back(T0 + HOUR)
    assert (await calls.where_read()).at == T0 - HOUR
    await calls.catch_up(T0)  # the newest call is an hour ahead of this clock
    assert (await calls.where_read()).at == T0 - HOUR
    await calls.catch_up(T0 + 2 * HOUR)
    assert (await calls.where_read()).at == T0 + HOUR


async def test_two_counts_at_once_are_one(db: Database) -> None:
    await a_lead(db, 1, 71)
    some = [a_call(n, 71) for n in range(1, 301)]
    done = await asyncio.gather(*(Calls(db).save(some) for _ in range(4)))
    assert sum(saved.new for saved in done) >= 300
    [counts] = (await Calls(db).counts([1])).values()
    assert counts == counts_of(some)


async def test_a_lead_that_was_deleted_in_the_crm_is_not_told(db: Database) -> None:
    await a_lead(db, 1, 71)
    await a_lead(db, 2, None)
    await run_sql(db, "update leads set crm_deleted_at = now() where id = 1")
    assert await Calls(db).for_crm([1, 2, 3]) == []


some_calls = st.lists(
    st.builds(
        a_call,
        st.integers(1, 30),
        st.sampled_from([71, 72]),
        direction=st.sampled_from(["in", "out"]),
        outcome=st.sampled_from(["answered", "missed", "failed"]),
        seconds=st.integers(0, 500),
        started_at=st.integers(-9, 9).map(lambda hours: T0 + hours * HOUR),
    ),
    unique_by=lambda call: call.id,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(some_calls, max_size=4))
def test_whatever_comes_in_whatever_order_the_last_version_of_each_counts(
    batches: list[list[Call]],
) -> None:
    last = {call.id: call for batch in batches for call in batch}
    by_crm = {crm: [c for c in last.values() if c.crm_ids == (crm,)] for crm in (71, 72)}
    LAST.append((batches, {n: counts_of(c) for n, c in by_crm.items() if c}))


LAST: list[tuple[list[list[Call]], dict[int, Any]]] = []


async def test_postgresql_counts_as_the_rules_do(db: Database) -> None:
    await a_lead(db, 71, 71, T0 - 99 * HOUR)
    await a_lead(db, 72, 72, T0 - 99 * HOUR)
    for batches, expected in LAST[-25:]:
        await run_sql(db, "truncate calls")
        for batch in batches:
            await Calls(db).save(batch)
        assert await Calls(db).counts() == expected
