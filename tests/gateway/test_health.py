from __future__ import annotations

import asyncio
import math

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lib.errors import Denied, Unavailable
from lib.gateway import health
from lib.gateway.app import create_app
from lib.gateway.dispatcher import Dispatcher, DispatchLimits
from lib.gateway.health import Check
from lib.gateway.hooks import DoorKeys
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.gateway.memory_runs import MemoryRuns
from tests.store.making import LEADS, accepted, arriving, claimed, settled, until_true
from tests.support import free_port


async def is_well() -> None:
    return None


async def is_away() -> None:
    raise Unavailable("Prefect is away")


async def is_denied() -> None:
    raise Denied("Prefect refuses the password")


async def has_a_bug() -> None:
    raise KeyError("telegram:main:1")


async def is_silent() -> None:
    await asyncio.Event().wait()


async def asked(db: Database, path: str, **checks: Check) -> httpx.Response:
    """What a door says while the dispatcher turns."""
    turner = Dispatcher(db, MemoryRuns(), [LEADS], DispatchLimits(poll_s=0.02))
    app = create_app(Inbox(db), DoorKeys(), turner, checks)

    async def turns() -> bool:
        return turner.is_alive()

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client,
    ):
        if db.dsn != NOWHERE:
            await until_true(turns)
        return await client.get(path)


NOWHERE = f"postgresql://potok:secret@127.0.0.1:{free_port()}/potok"


async def test_ready_names_every_part(db: Database) -> None:
    answer = await asked(db, "/readyz", database=db.check, prefect=is_well)
    assert answer.status_code == 200
    parts = {"database": "ok", "prefect": "ok", "dispatcher": "ok"}
    assert answer.json() == {"status": "ready", "parts": parts}


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (is_away, "Prefect is away"),
        (is_denied, "Prefect refuses the password"),
        (has_a_bug, "the check failed: KeyError"),
        (is_silent, "no answer within 0 s"),
    ],
)
async def test_a_missing_part_is_named(
    db: Database, check: Check, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.2)
    answer = await asked(db, "/readyz", database=is_well, prefect=check)
    assert answer.status_code == 503
    parts = {"database": "ok", "prefect": said, "dispatcher": "ok"}
    assert answer.json() == {"status": "not ready", "parts": parts}


async def test_a_database_that_is_away_is_named_and_the_process_is_alive() -> None:
    nowhere = Database(NOWHERE)
    try:
        ready = await asked(nowhere, "/readyz", database=nowhere.check)
        assert ready.status_code == 503
        assert ready.json()["parts"]["database"].startswith("the database is away")
        assert "secret" not in ready.text
        assert (await asked(nowhere, "/healthz")).json() == {"status": "ok"}
        figures = figures_of(await asked(nowhere, "/metrics"))
        assert math.isnan(figures["potok_inbox_waiting"])
    finally:
        await nowhere.close()


async def test_a_dispatcher_that_does_not_turn_is_named(db: Database) -> None:
    still = Dispatcher(db, MemoryRuns(), [LEADS])
    app = create_app(Inbox(db), DoorKeys(), still, {})
    transport = httpx.ASGITransport(app)  # its lifespan never began
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    assert ready.status_code == 503
    assert ready.json()["parts"] == {"dispatcher": "the dispatcher does not turn"}
    assert alive.status_code == 200


def figures_of(answer: httpx.Response) -> dict[str, float]:
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


async def test_the_metrics_tell_what_waits(db: Database) -> None:
    await accepted(db, arriving(), arriving(), arriving())
    await settled(db, await claimed(db, limit=1))
    await claimed(db)  # what the dispatcher cannot take from under our eyes
    figures = figures_of(await asked(db, "/metrics"))
    assert figures["potok_inbox_waiting"] == 2
    assert 0 <= figures["potok_inbox_oldest_seconds"] < 60
    assert "potok_batches_returned_total" in figures
    assert "potok_batch_size_count" in figures
