"""Calls: written in groups, all or nothing, with what their keys spent; and their sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lib.domain.llm.keys import budget_from
from lib.errors import Rejected
from lib.router.keyring import Keyring
from lib.router.meter import Meter
from lib.store.engine import Database
from lib.store.failures import StatementFailed
from lib.store.llm.calls import UNKNOWN, Calls
from lib.store.llm.keys import Keys
from lib.store.llm.rates import Rates
from tests.store.llm_making import NOON, call, fetched, made

SINCE = NOON - timedelta(days=7)
DAY = timedelta(days=1)


async def count(db: Database, table: str = "llm_calls") -> int:
    [(found,)] = await fetched(db, f"select count(*) from {table}")
    return int(found)


async def test_a_thousand_calls_are_one_statement(db: Database) -> None:
    keys = [await made(db, f"key-{n}") for n in range(3)]
    calls = [
        call("0.001", key_id=keys[n % 3].id, at=NOON - DAY * (n % 2), caller=keys[n % 3].name)
        for n in range(999)
    ]
    await Calls(db).write([*calls, call("5")])  # a flow has no key
    assert await count(db) == 1000
    assert await fetched(db, "select count(distinct xmin::text) from llm_calls") == [(1,)]
    spent = await fetched(db, "select key_id, day, usd, calls from llm_spend order by 1, 2")
    assert {(row[0], row[3]) for row in spent} <= {(key.id, n) for key in keys for n in (166, 167)}
    assert sum(row[3] for row in spent) == 999
    assert {row[1] for row in spent} == {NOON.date(), (NOON - DAY).date()}
    assert sum(row[2] for row in spent) == Decimal("0.999")


async def test_what_a_key_has_spent_grows(db: Database) -> None:
    key = await made(db, "tool", budget=budget_from("9usd"))
    calls = Calls(db)
    for usd in ("1", "0.5", None):
        await calls.write([call(usd, key_id=key.id)])
    [found] = await Keys(db).living()
    assert found.spent_usd == Decimal("1.5")
    assert found.last_used_at == NOON
    assert await fetched(db, "select calls from llm_spend") == [(3,)]


async def test_a_call_is_written_as_it_was(db: Database) -> None:
    tries: list[dict[str, Any]] = [{"provider": "groq", "reason": "denied"}]
    texts = {"messages": [{"content": "a\x00b \ud83d\ude00 \\u0000"}]}
    await Calls(db).write([call("0.5", tries=tries, texts=texts, cached_tokens=3), call()])
    found = await fetched(
        db, "select price_usd, cached_tokens, tries, first_token_ms from llm_calls order by id"
    )
    assert found == [(Decimal("0.5"), 3, tries, 100.0), (None, 0, None, 100.0)]


async def test_no_text_of_a_client_stops_the_writing(db: Database) -> None:
    deep: Any = "end"
    for _ in range(400):
        deep = [deep]
    await Calls(db).write(
        [
            call(alias="a\x00b", reason="\x00", texts={"a\x00": "b\x00", "c": "\\u0000"}),
            call(alias="\ud800", texts={"deep": deep}),
            call(texts={"far": float("inf"), "long": 2**70}),
        ]
    )
    found = await fetched(db, "select alias, texts from llm_calls order by id")
    assert found[0][0] == "a\ufffdb"
    assert found[0][1]["a\ufffd"] == "b\ufffd"
    not_kept = {"not kept": "no JSON that can be written"}
    assert found[1:] == [("?", not_kept), ("main", not_kept)]


async def test_nothing_is_written_when_one_row_is_bad(db: Database) -> None:
    key = await made(db, "tool")
    with pytest.raises(StatementFailed) as raised:
        await Calls(db).write([call("1", key_id=key.id, caller="secret"), call(key_id=999_999)])
    assert "secret" not in str(raised.value)
    assert await count(db) == await count(db, "llm_spend") == 0
    await Calls(db).write([])


async def test_the_meter_loses_the_bad_row_alone(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    key = await made(db, "tool", budget=budget_from("9usd"))
    keys = Keys(db)
    meter = Meter(Calls(db), Keyring(keys, Rates(db), lambda: pytest.fail("no table")))
    for each in (call("1", key_id=key.id), call("1", key_id=999_999), call("2", key_id=key.id)):
        meter.count(each)
    await meter.write()
    assert await count(db) == 2
    assert (await keys.living())[0].spent_usd == 3
    assert "calls.lost refused=1" in caplog.text
    await meter.write()
    assert await count(db) == 2


async def test_the_meter_keeps_what_the_database_refuses_altogether(db: Database) -> None:
    meter = Meter(Calls(db), Keyring(Keys(db), Rates(db), lambda: pytest.fail("no table")))
    meter.count(call(key_id=999_999))
    meter.count(call(key_id=999_998))
    with pytest.raises(StatementFailed):
        await meter.write()
    meter.count(call())
    await meter.write()
    assert await count(db) == 1


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("key", ["dear", "cheap", "leads"]),
        ("alias", ["main", "fast"]),
        ("provider", ["ollama", "-"]),
        ("model", ["qwen3:30b", "-"]),
        ("day", ["2026-11-25", "2026-11-26"]),
    ],
)
async def test_usage_is_summed_by(db: Database, by: str, names: list[str]) -> None:
    await Calls(db).write(
        [
            call("2", caller="dear"),
            call("1", caller="cheap", at=NOON - DAY),
            call(None, caller="leads", alias="fast", provider="", model="", outcome="failed"),
            call("100", at=SINCE - DAY),
        ]
    )
    found = await Calls(db).usage(SINCE, by)
    assert [row["name"] for row in found] == names
    assert sum(row["calls"] for row in found) == 3
    assert sum(row["usd"] for row in found) == 3


async def test_usage_says_what_went_well_and_how_fast(db: Database) -> None:
    outcomes = ["ok", "failed", "cached", "cached", "refused"]
    await Calls(db).write(
        [
            call(outcome=outcome, total_ms=100.0 * n, first_token_ms=None if n else 7.0)
            for n, outcome in enumerate(outcomes)
        ]
    )
    [row] = await Calls(db).usage(SINCE)
    assert (row["calls"], row["failed"], row["refused"], row["cached"]) == (5, 1, 1, 2)
    assert (row["tokens_in"], row["tokens_out"], row["usd"]) == (50, 25, 0)
    assert (row["first_token_p50_ms"], row["total_p50_ms"], row["total_p95_ms"]) == (7, 200, 380)


async def test_names_of_no_table_are_summed_as_one(db: Database) -> None:
    refused = {"outcome": "refused", "reason": UNKNOWN, "provider": ""}
    typed = [call(alias=f"typo-{n}", **refused) for n in range(5)]
    await Calls(db).write([*typed, call("1"), call(alias="fast", outcome="refused", reason="x")])
    found = await Calls(db).usage(SINCE, "alias")
    assert [(row["name"], row["calls"], row["refused"]) for row in found] == [
        ("main", 1, 0),
        ("(unknown)", 5, 5),
        ("fast", 1, 1),
    ]
    assert {row["name"] for row in await Calls(db).series(SINCE, 60)} == {
        "main",
        "(unknown)",
        "fast",
    }


async def test_usage_by_anything_else_is_refused(db: Database) -> None:
    with pytest.raises(Rejected, match="usage is by key, alias"):
        await Calls(db).usage(SINCE, "caller; drop table llm_calls")


async def test_a_series_has_steps_of_each_alias(db: Database) -> None:
    minute = timedelta(minutes=1)
    await Calls(db).write(
        [call(), call(at=NOON + minute), call(at=NOON + 5 * minute), call(alias="fast")]
    )
    found = await Calls(db).series(SINCE, 300.0)
    assert [(row["at"], row["name"], row["calls"]) for row in found] == [
        (NOON, "fast", 1),
        (NOON, "main", 2),
        (NOON + 5 * minute, "main", 1),
    ]
    assert found[0]["at"].astimezone(UTC) == datetime(2026, 11, 26, 12, tzinfo=UTC)
