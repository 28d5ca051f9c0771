"""What the probes found: the newest of each model, a week of them, and no models of old tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from lib.store.engine import Database
from lib.store.llm.health import Health, Healths
from tests.store.llm_making import fetched

WELL = Health(
    provider="ollama",
    model="qwen3:30b",
    ok=True,
    state="ok",
    reason="",
    first_token_ms=12.5,
    price_in_usd=Decimal("0.075"),
    price_out_usd=Decimal("2.150000"),
    retires_on=date(2027, 2, 5),
    checked_at=datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC),
)
ILL = Health("groq", "m", False, "down", "away", None, None, None, None, WELL.checked_at)


def now(health: Health, **ago: float) -> Health:
    return replace(health, checked_at=datetime.now(UTC) - timedelta(**ago))


async def test_findings_are_read_as_they_were_written(db: Database) -> None:
    healths = Healths(db)
    assert await healths.read() == []
    await healths.write([WELL, ILL])
    assert await healths.read() == [ILL, WELL]


async def test_the_newest_finding_counts(db: Database) -> None:
    healths = Healths(db)
    await healths.write([WELL])
    worse = replace(WELL, ok=False, state="blocked", first_token_ms=None, price_in_usd=None)
    await healths.write([worse])
    assert await healths.read() == [worse]


async def test_models_that_are_no_longer_named_are_forgotten(db: Database) -> None:
    healths = Healths(db)
    await healths.write([now(WELL), now(ILL)])
    left = now(ILL)
    await healths.write([left])
    assert await healths.read() == [left]
    assert len(await healths.history(datetime(2020, 1, 1, tzinfo=UTC))) == 3
    await healths.write([])
    assert await healths.read() == []


async def test_the_history_is_in_its_order_and_a_week_long(db: Database) -> None:
    healths = Healths(db)
    for days in (3, 8, 1, 0):
        await healths.write([now(WELL, days=days)])
    found = await healths.history(datetime.now(UTC) - timedelta(days=2))
    assert [row["state"] for row in found] == ["ok", "ok"]
    assert found[0]["at"] < found[1]["at"]
    assert {row["first_token_ms"] for row in found} == {12.5}
    assert await fetched(db, "select count(*) from llm_probes") == [(3,)]


async def test_a_providers_words_stop_nothing(db: Database) -> None:
    await Healths(db).write([replace(ILL, reason="bad\x00words \ud800"), WELL])
    assert [health.reason for health in await Healths(db).read()] == ["bad\ufffdwords ?", ""]
