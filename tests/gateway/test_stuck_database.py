"""A PostgreSQL that is locked or frozen: every door answers all the same, and recovers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import psutil
import psycopg
import pytest

from deployments.stack.postgres import EmbeddedPostgres
from lib.gateway import health
from lib.gateway.app import create_app
from lib.gateway.hooks import DoorKeys
from lib.store import inbox as inbox_module
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.domain.making import update
from tests.gateway.doors import BOT_SECRET
from tests.gateway.test_health import figures_of
from tests.store.making import deliveries, rows, until_true

GENEROUS_S = 20.0  # before, the doors answered when the database was well again, or never
SECRET = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET}


class Gate:
    """The whole gateway in process, over a database of its own that gives up soon."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, update_id: int = 10) -> httpx.Response:
        """Post an update."""
        async with asyncio.timeout(GENEROUS_S):
            body = update() | {"update_id": update_id}
            return await self._client.post("/hooks/telegram/main", json=body, headers=SECRET)

    async def get(self, path: str) -> httpx.Response:
        """Look at a door."""
        async with asyncio.timeout(GENEROUS_S):
            return await self._client.get(path)

    async def is_ready(self) -> bool:
        """Whether the database is well, as /readyz sees it."""
        return (await self.get("/readyz")).status_code == 200

    async def is_accepted(self) -> bool:
        """Whether a delivery sent again is in the inbox."""
        return (await self.post()).status_code == 200


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "COMMIT_WITHIN_S", 0.5)
    monkeypatch.setattr(inbox_module, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setattr(inbox_module, "STUCK_AFTER_S", 0.1)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.5)


@asynccontextmanager
async def gate_of(dsn: str, statement_timeout_s: float | None = None) -> AsyncIterator[Gate]:
    opened = Database(dsn, statement_timeout_s=statement_timeout_s)
    inbox = Inbox(opened)
    app = create_app(inbox, DoorKeys({"main": BOT_SECRET}), {"database": inbox.check})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        yield Gate(client)
    await opened.close()


@pytest.fixture
async def gate(database: str) -> AsyncIterator[Gate]:
    async with gate_of(database) as opened:
        yield opened


@asynccontextmanager
async def locked(dsn: str, mode: str) -> AsyncIterator[None]:
    """The inbox's table locked by somebody else."""
    async with await psycopg.AsyncConnection.connect(dsn) as other:
        await other.execute(f"lock table deliveries in {mode} mode")  # type: ignore[arg-type]
        yield


@contextmanager
def frozen(processes: Iterable[psutil.Process]) -> Iterator[None]:
    """Stopped as by SIGSTOP: they live, and do nothing."""
    stopped = list(processes)
    assert stopped
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


async def writer_of(db: Database) -> list[psutil.Process]:
    """The backend that the gateway inserts with."""
    found = await rows(
        db,
        "select pid from pg_stat_activity where query like '%jsonb_to_recordset%'"
        " and datname = current_database() and pid <> pg_backend_pid()",
    )
    return [psutil.Process(row["pid"]) for row in found]


def check_says_come_again(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"] == "Unavailable"


async def test_a_lock_on_the_inbox_is_503_and_passes(
    db: Database, database: str, gate: Gate
) -> None:
    assert (await gate.post(1)).status_code == 200
    async with locked(database, "access exclusive"):
        check_says_come_again(await gate.post(2))
        ready = await gate.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["parts"]["database"] != "ok"
        assert math.isnan(figures_of(await gate.get("/metrics"))["potok_inbox_waiting"])
    assert (await gate.post(2)).json()["result"] == "accepted"
    await until_true(gate.is_ready)
    assert figures_of(await gate.get("/metrics"))["potok_inbox_waiting"] == 2
    assert list(await deliveries(db)) == ["telegram:main:1", "telegram:main:2"]


async def test_a_wait_for_a_lock_ends_on_the_server_too(db: Database, database: str) -> None:
    async with gate_of(database, statement_timeout_s=0.1) as gate, locked(database, "exclusive"):
        answer = await gate.post()
        check_says_come_again(answer)
        assert "QueryCanceled" in answer.json()["detail"]
        waiting = "select 1 from pg_locks where not granted and relation = 'deliveries'::regclass"
        assert await rows(db, waiting) == []


async def test_ready_sees_a_lock_that_only_writers_wait_for(database: str, gate: Gate) -> None:
    assert await gate.is_ready()
    async with locked(database, "share"):  # as an index is made
        assert not await gate.is_ready()
    await until_true(gate.is_ready)


async def test_ready_sees_a_database_that_takes_no_writes(database: str) -> None:
    name = database.rsplit("/", 1)[1]
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
        await other.execute(f"alter database {name} set default_transaction_read_only = on")  # type: ignore[arg-type]
        try:
            async with gate_of(database) as gate:
                ready = await gate.get("/readyz")
                assert ready.json()["parts"]["database"] == "the database is read-only"
        finally:
            await other.execute(f"alter database {name} reset default_transaction_read_only")  # type: ignore[arg-type]


async def test_nobody_waits_longer_than_the_bound_behind_others(
    database: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "AT_ONCE", 1)  # half a minute, one by one
    async with locked(database, "access exclusive"):
        for answer in await asyncio.gather(*(gate.post(number) for number in range(60))):
            check_says_come_again(answer)
    assert await gate.is_accepted()


async def test_a_frozen_session_is_dropped_and_the_next_group_has_a_fresh_one(
    db: Database, gate: Gate
) -> None:
    assert (await gate.post(1)).status_code == 200
    with frozen(await writer_of(db)):
        check_says_come_again(await gate.post(2))
        assert (await gate.post(3)).json()["result"] == "accepted"
    again = await gate.post(2)  # what was given up may have been committed after all
    assert (again.status_code, again.json()["result"] in {"accepted", "duplicate"}) == (200, True)
    assert len(await deliveries(db)) == 3


async def test_ready_sees_a_commit_that_does_not_end(
    db: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "COMMIT_WITHIN_S", GENEROUS_S)
    monkeypatch.setattr(inbox_module, "ANSWER_WITHIN_S", GENEROUS_S)

    async def is_stuck() -> bool:
        said = (await gate.get("/readyz")).json()["parts"]["database"]
        return str(said).startswith("the database has not ended a commit for")

    assert (await gate.post(1)).status_code == 200
    with frozen(await writer_of(db)):
        posted = asyncio.create_task(gate.post(2))
        await until_true(is_stuck)
        assert not posted.done()
    assert (await posted).status_code == 200
    assert await gate.is_ready()


async def test_a_frozen_server_is_told_by_every_door_and_all_recover(
    db: Database, postgres: EmbeddedPostgres, gate: Gate
) -> None:
    assert (await gate.post(1)).status_code == 200
    assert await gate.is_ready()
    with frozen(postgres.serving()):
        for _ in range(2):  # over the session that was there, and over one to be opened
            check_says_come_again(await gate.post())
            ready = await gate.get("/readyz")
            assert (ready.status_code, ready.json()["parts"]["database"] != "ok") == (503, True)
            assert math.isnan(figures_of(await gate.get("/metrics"))["potok_inbox_waiting"])
        assert (await gate.get("/healthz")).status_code == 200
    await until_true(gate.is_accepted)
    await until_true(gate.is_ready)
    assert sorted(await deliveries(db)) == ["telegram:main:1", "telegram:main:10"]
