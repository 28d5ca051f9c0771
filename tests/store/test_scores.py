"""Scores in the store: the facts they are made of, and what the CRM is still to be told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lib.domain.score_news import Untold
from lib.domain.scoring import Reason, Scored
from lib.store.engine import Database
from lib.store.leads import Leads
from lib.store.scores import Scores
from tests.domain.making import T0

from .making import read, run_sql

PHONE = "+7 916 123-45-67"
WARM = Scored(50, "warm", (Reason(15, "оставил телефон"), Reason(25, "срочно")))
HOT = Scored(80, "hot", (Reason(70, "всё сразу"),))


async def lead(db: Database, number: int, words: str) -> int:
    """A person's lead."""
    grown = await Leads(db).grow([read(number, words, chat=number, sender=number)])
    found = grown[number]
    assert found is not None
    assert found.id is not None
    return found.id


async def a_call(db: Database, number: int, lead_id: int, direction: str, outcome: str) -> None:
    await run_sql(
        db,
        "insert into calls (id, lead_id, direction, outcome, seconds, started_at) "
        "values (:id, :lead, :direction, :outcome, 60, now())",
        **{"id": number, "lead": lead_id, "direction": direction, "outcome": outcome},
    )


async def test_the_facts_of_a_lead(db: Database) -> None:
    anna = await lead(db, 1, f"нужен кредит 5 млн, {PHONE}")
    await Leads(db).grow([read(2, "срочно", chat=1, sender=1, at=timedelta(minutes=5))])
    for number, (direction, outcome) in enumerate(
        [("in", "answered"), ("in", "missed"), ("out", "answered"), ("out", "failed")], 1
    ):
        await a_call(db, number, anna, direction, outcome)
    [facts] = await Scores(db).facts([anna, 999])
    known = asdict(facts)
    assert known["last_message_at"] == T0 + timedelta(minutes=5)
    assert (known["amount"], known["phone"], known["urgency"]) == (
        Decimal(5_000_000),
        "+79161234567",
        "high",
    )
    assert (known["messages"], known["open_twins"], known["won_before"]) == (2, 0, 0)
    names = ("calls_in_answered", "calls_in_missed", "calls_out_answered", "calls_out_failed")
    assert [known[name] for name in names] == [1, 1, 1, 1]


async def test_others_with_the_same_phone_or_mail_are_counted_once(db: Database) -> None:
    anna = await lead(db, 1, f"нужен кредит, {PHONE}, anna@mail.ru")
    twin = await lead(db, 2, f"нужна ипотека, {PHONE}, anna@mail.ru")
    won = await lead(db, 3, "нужен лизинг, anna@mail.ru")
    gone = await lead(db, 4, f"нужен займ, {PHONE}")
    await lead(db, 5, "нужен кредит")  # without either
    await run_sql(db, "update leads set crm_state = 'won' where id = :id", id=won)
    await run_sql(db, "update leads set crm_deleted_at = now() where id = :id", id=gone)
    by_lead = {facts.lead_id: facts for facts in await Scores(db).facts([anna, twin])}
    assert (by_lead[anna].open_twins, by_lead[anna].won_before) == (1, 1)
    assert (by_lead[twin].open_twins, by_lead[twin].won_before) == (1, 1)


async def test_all_and_the_open_ones_by_pages(db: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr("lib.store.scores.PAGE", 2)
    ids = [await lead(db, number, "нужен кредит") for number in range(1, 6)]
    await run_sql(db, "update leads set crm_state = 'lost' where id = :id", id=ids[2])

    async def pages(only_open: bool) -> list[list[int]]:
        found = Scores(db).all_facts(only_open=only_open)
        return [[facts.lead_id for facts in page] async for page in found]

    assert await pages(False) == [ids[:2], ids[2:4], ids[4:]]
    assert await pages(True) == [ids[:2], ids[3:]]


async def test_what_the_crm_is_to_be_told(db: Database) -> None:
    scores = Scores(db)
    anna, boris = await lead(db, 1, "нужен кредит"), await lead(db, 2, "нужен кредит")
    await scores.save({anna: ({"messages": 1}, WARM), boris: ({}, WARM)}, "v1")
    assert await scores.untold(None, 0, 10) == []  # neither is in the CRM yet
    await run_sql(db, "update leads set crm_id = 70 + id")
    both = await scores.untold(None, 0, 10)
    assert [each.lead_id for each in both] == [anna, boris]
    assert both[0] == Untold(anna, 70 + anna, 50, "warm", WARM.reasons, None)
    assert await scores.untold([boris], 0, 10) == both[1:]
    assert await scores.untold(None, anna, 10) == both[1:]
    await scores.told(both)
    assert await scores.untold(None, 0, 10) == []

    await scores.save({anna: ({}, HOT), boris: ({}, WARM)}, "v1")
    [news] = await scores.untold(None, 0, 10)
    assert (news.lead_id, news.crm_band) == (anna, "warm")
    await scores.telling([anna])
    [again] = await scores.untold(None, 0, 10)
    assert (again.crm_band, again.is_in_doubt, again.band_before) == ("?warm", True, "warm")
    await scores.telling([anna])
    assert await scores.untold(None, 0, 10) == [again]
    await run_sql(db, "update leads set crm_deleted_at = now() where id = :id", id=anna)
    assert await scores.untold(None, 0, 10) == []


async def test_a_score_as_people_see_it(db: Database) -> None:
    scores, anna = Scores(db), await lead(db, 1, "нужен кредит")
    assert await scores.show(anna) is None
    await scores.save({anna: ({"messages": 1, "intent": None}, WARM)}, "v1")
    found = await scores.show(anna)
    assert found is not None
    assert found[:3] == (WARM, {"messages": 1, "intent": None}, "v1")
