"""Keys of tools: made once, kept as hashes, ended by name, and what they have spent by now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lib.domain.llm.keys import PREFIX, Budget, budget_from, key_hash, shown
from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from tests.store.llm_making import fetched, made
from tests.store.making import run_sql


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


async def test_a_key_is_read_as_it_was_made(db: Database) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    limits = {"rpm": 60, "keeps_texts": True, "sees_usage": True, "expires_at": end}
    key = await made(
        db, "cursor", names=("main", "code"), budget=budget_from("10.50usd/month"), **limits
    )
    assert (key.name, key.names, key.budget) == (
        "cursor",
        ("main", "code"),
        Budget(Decimal("10.5"), "month"),
    )
    assert (key.rpm, key.keeps_texts, key.sees_usage, key.expires_at) == (60, True, True, end)
    assert key.revoked_at is None
    assert key.last_used_at is None
    assert key.spent_usd == 0
    assert key.is_living(datetime.now(UTC))
    assert not key.is_living(end)
    assert await Keys(db).living() == [key]


async def test_only_the_hash_is_stored(db: Database) -> None:
    secret = await Keys(db).create(NewKey("tool", ("*",)))
    assert secret.startswith(PREFIX)
    [(row,)] = await fetched(db, "select row_to_json(k)::text from llm_keys k")
    assert key_hash(secret) in row
    assert secret not in row
    assert secret[len(shown(secret)) :] not in row


async def test_a_name_is_taken_as_long_as_its_key_lives(db: Database) -> None:
    keys = Keys(db)
    await keys.create(NewKey("tool", ("*",)))
    with pytest.raises(Rejected, match="potok llm key revoke tool"):
        await keys.create(NewKey("tool", ("*",)))
    await keys.revoke("tool")
    await keys.create(NewKey("tool", ("*",)))
    assert [key.name for key in await keys.all()] == ["tool", "tool"]
    assert len(await keys.living()) == 1


async def test_of_many_who_want_a_name_at_once_one_gets_it(db: Database) -> None:
    keys = Keys(db)
    made_ = await asyncio.gather(
        *(keys.create(NewKey("tool", ("*",))) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(each, str) for each in made_) == 1
    assert sum(isinstance(each, Rejected) for each in made_) == 7


async def test_the_name_of_an_expired_key_is_free(db: Database) -> None:
    old = await made(db, "tool", expires_at=ago(hours=1))
    keys = Keys(db)
    assert await keys.living() == []
    new = await made(db, "tool")
    assert await keys.living() == [new]
    [ended] = [key for key in await keys.all() if key.id == old.id]
    assert ended.revoked_at == old.expires_at


async def test_a_key_is_revoked_by_its_name_its_beginning_or_the_whole_of_it(db: Database) -> None:
    keys = Keys(db)
    secrets = {name: await keys.create(NewKey(name, ("*",))) for name in ("a", "b", "c")}
    assert (await keys.revoke("a")).name == "a"
    assert (await keys.revoke(shown(secrets["b"]))).name == "b"
    assert (await keys.revoke(secrets["c"])).name == "c"
    assert await keys.living() == []
    with pytest.raises(Rejected, match="no living key named 'a'"):
        await keys.revoke("a")


async def test_names_that_are_near_are_told(db: Database) -> None:
    keys = Keys(db)
    for name in ("cursor", "continue"):
        await keys.create(NewKey(name, ("*",)))
    with pytest.raises(Rejected, match=r"is cursor meant\?"):
        await keys.revoke("curser")
    with pytest.raises(Rejected, match="potok llm key list"):
        await keys.revoke("zzz")
    assert len(await keys.living()) == 2


@pytest.mark.parametrize(
    ("budget", "counts"), [("9usd/day", "1"), ("9usd/month", "3"), ("9usd", "7"), (None, "7")]
)
async def test_what_was_spent_in_the_present_period_counts(
    db: Database, budget: str | None, counts: str
) -> None:
    key = await made(db, "tool", budget=budget_from(budget) if budget else None)
    today = datetime.now(UTC).date()
    first = today.replace(day=1)
    spent = {today: 1, first - timedelta(days=1): 4}
    if first != today:
        spent[first] = 2
    else:
        counts = {"3": "1", "7": "5"}.get(counts, counts)
    for day, usd in spent.items():
        await run_sql(db, f"insert into llm_spend values ({key.id}, '{day}', {usd}, 1)")
    [found] = await Keys(db).living()
    assert found.spent_usd == Decimal(counts)
