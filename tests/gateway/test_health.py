from __future__ import annotations

import asyncio
import math
from functools import partial

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lib.dispatcher import Dispatcher, DispatchLimits
from lib.errors import Denied, Unavailable
from lib.gateway import health
from lib.gateway.app import create_app
from lib.gateway.health import Check
from lib.gateway.hooks import DoorKeys
from lib.store import dispatchers
from lib.store.batches import Batches
from lib.store.dispatchers import check_dispatcher
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.store.dispatching import turning
from tests.store.making import LEADS, accepted, arriving, claimed, settled, until_true
from tests.store.memory_runs import MemoryRuns
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
    """What a door says."""
    transport = httpx.ASGITransport(create_app(Inbox(db), DoorKeys(), checks))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        return await client.get(path)


NOWHERE = f"postgresql://potok:secret@127.0.0.1:{free_port()}/potok"


async def test_ready_names_every_part(db: Database) -> None:
    answer = await asked(db, "/readyz", database=db.check, prefect=is_well)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "parts": {"database": "ok", "prefect": "ok"}}


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
    parts = {"database": "ok", "prefect": said}
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


async def test_a_dispatcher_is_seen_from_another_process_while_it_turns(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatchers, "SILENT_S", 0.3)
    seen = partial(check_dispatcher, db)

    async def answer() -> str:
        ready = await asked(db, "/readyz", dispatcher=seen)
        return str(ready.json()["parts"]["dispatcher"])

    async def is_seen() -> bool:
        return await answer() == "ok"

    async def is_missed() -> bool:
        return await answer() == "no dispatcher turns: the worker is away"

    assert await is_missed()
    turner = Dispatcher(db, MemoryRuns(), [LEADS], DispatchLimits(poll_s=0.02))
    async with turning(turner):
        await until_true(is_seen)
        monkeypatch.setattr(turner, "is_alive", lambda: False)  # it hangs, its connection lives
        await until_true(is_missed)


def figures_of(answer: httpx.Response) -> dict[str, float]:
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


async def test_the_metrics_tell_what_waits_and_what_became_of_batches(db: Database) -> None:
    await accepted(db, arriving(), arriving(), arriving())
    await settled(db, await claimed(db, limit=1))
    await Batches(db).give_back(await claimed(db, limit=1), "gone", jitter=0)
    await claimed(db)
    figures = figures_of(await asked(db, "/metrics"))
    assert figures["potok_inbox_waiting"] == 2
    assert 0 <= figures["potok_inbox_oldest_seconds"] < 60
    assert figures["potok_batches_open"] == 1
    assert figures["potok_batches_returned"] == 1
