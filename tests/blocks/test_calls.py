"""A count of 100,000 calls: what it asks, what it keeps in memory, what the next one reads."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest
from pydantic import SecretStr

from blocks.bitrix import BitrixPortal
from blocks.calls import CallsReport, count_calls
from deployments.settings import ROOT
from deployments.stack.sandbox_access import BITRIX_PATH
from lib.errors import Unavailable
from lib.store.calls import Calls
from lib.store.engine import Database
from tests.store.making import rows, run_sql
from tests.support import free_port

MANY = 100_000
LEADS = 500
STATISTIC = "voximplant.statistic.get"
GROWTH_BYTES = 60 * 2**20  # a page of 1,000 rows and what is made of it takes a few


@dataclass
class World:
    """A sandbox in a process of its own, our database, and a portal of both."""

    http: httpx.AsyncClient
    portal: BitrixPortal
    db: Database

    async def control(self, path: str, body: Any = None) -> Any:
        verb = "GET" if body is None else "POST"
        answer = await self.http.request(verb, f"/control/bitrix/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def count(self, **given: Any) -> CallsReport:
        return await count_calls.fn(self.portal, self.db, **given)

    async def asked(self) -> tuple[int, int]:
        """HTTP requests, and pages of the statistic, ever asked for."""
        state = await self.control("state")
        return sum(state["requests"].values()), state["commands"].get(STATISTIC, 0)


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    port = free_port()
    command = (sys.executable, "-m", "deployments.sandbox", "--port", str(port))
    sandbox = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=DEVNULL)
    db = Database(database)
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        try:
            await _ready(http)
            address = SecretStr(f"{url}{BITRIX_PATH}")
            made = World(http, BitrixPortal(webhook_url=address, limit_name=None), db)
            await made.control("limit", {"off": True})
            await run_sql(db, "truncate deliveries, leads, watermarks restart identity cascade")
            await run_sql(
                db,
                "insert into leads (origin, source, person, read_by, opened_at, last_message_at,"
                " version, crm_id) select 'test:' || n, 'telegram', 'p', 'rules',"
                " now() - interval '99 days', now(), 1, n from generate_series(1, :leads) n",
                leads=LEADS,
            )
            yield made
        finally:
            sandbox.terminate()
            await sandbox.wait()
            await db.close()


async def _ready(http: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if (await http.get("/healthz")).is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def wish(number: int, **more: Any) -> dict[str, Any]:
    return {"make": number, "seed": 1, "leads": list(range(1, LEADS + 1)), **more}


async def test_100_000_calls_are_counted_in_bounded_memory_and_then_only_what_is_new(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.control("calls", wish(5_000, days=365))  # everything is imported and warm
    await world.count()
    process, began = psutil.Process(), time.perf_counter()
    await world.control("calls", wish(MANY))
    before, asked, peak = process.memory_info().rss, await world.asked(), Peak(process)
    async with peak:
        first = await world.count()
    took_s, (requests, pages) = time.perf_counter() - began, await world.asked()
    grew = peak.bytes - before
    with capsys.disabled():
        print(
            f"\n{MANY:,} calls: {took_s:.1f} s, {requests - asked[0]} requests,"
            f" {pages - asked[1]} pages, memory +{grew / 2**20:.0f} MB"
        )
    assert first.new == MANY
    [stored] = await rows(world.db, "select count(*) as n, count(lead_id) as ours from calls")
    assert stored["n"] == MANY + 5_000
    assert 0.7 * MANY < stored["ours"] < MANY
    assert grew < GROWTH_BYTES
    assert requests - asked[0] < 700
    [events] = await rows(world.db, "select count(*) as n from deliveries")
    assert events["n"] == 2 * LEADS  # however many pages a lead was on
    await world.control("calls", wish(7, days=0.001))
    second = await world.count()
    requests_then, pages_then = await world.asked()
    assert second.new == 7
    # The hundred ids and the two hours before, which 100,000 calls in 90 days fill with 92.
    assert second.read < 7 + 100 + 300
    assert requests_then - requests < 12
    assert pages_then - pages < 12


class Peak:
    """The most memory a process has while a block lasts."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.bytes = 0

    async def __aenter__(self) -> Peak:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._process.memory_info().rss)
            await asyncio.sleep(0.01)


async def test_a_count_that_breaks_off_goes_on_where_it_was(world: World) -> None:
    await world.control("calls", wish(3_000))
    limit = {"kind": "operation_time_limit", "methods": [STATISTIC], "seconds": 300}
    await world.control("failures", limit)
    with pytest.raises(Unavailable):
        await world.count()
    await world.http.request("DELETE", "/control/bitrix/failures")
    # The first page is one command; the 21st after it is in the second request of twenty.
    await world.control("failures", {"kind": "query_limit", "times": 1})
    with pytest.raises(Unavailable):
        await world.count()
    done = await world.count()
    assert done.new == 3_000
    [stored] = await rows(world.db, "select count(*) as n from calls")
    assert stored["n"] == 3_000


async def test_a_call_that_arrives_late_or_changes_is_seen(world: World) -> None:
    now = datetime.now(UTC)
    at = now.isoformat(timespec="seconds")
    of_contact = {"CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 3, "CALL_START_DATE": at}
    some = [of_contact | {"CRM_ENTITY_ID": n} for n in range(1, 150)]
    made = await world.control("calls", some)
    first_id = made["last_id"] - 148
    await world.count()
    months_ago = (now - timedelta(days=200)).isoformat(timespec="seconds")
    late = {"CRM_ENTITY_TYPE": "LEAD", "CRM_ENTITY_ID": 7, "CALL_START_DATE": months_ago}
    bound = {"ID": first_id, "bindings": [["CONTACT", 1], ["LEAD", 8]]}
    await world.control("calls", [late, bound])
    report = await world.count()
    assert (report.new, report.leads) == (1, {7, 8})
    assert set(await Calls(world.db).counts()) == {7, 8}


async def test_a_recount_reads_again_what_is_long_past(world: World) -> None:
    now = datetime.now(UTC)
    month_ago = (now - timedelta(days=30)).isoformat(timespec="seconds")
    of_contact = {"CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 3}
    old = of_contact | {"CALL_START_DATE": month_ago}
    made = await world.control("calls", [old, *[of_contact] * 150])
    await world.control(
        "calls", {"ID": made["last_id"] - 150, "bindings": [["CONTACT", 3], ["LEAD", 8]]}
    )
    await run_sql(world.db, "truncate calls")
    await world.count()
    await run_sql(world.db, "update calls set lead_id = null, entity_type = 'CONTACT'")
    assert (await world.count()).leads == set()
    report = await world.count(since=now - timedelta(days=31))
    assert report.leads == {8}
    where = await Calls(world.db).where_read()
    assert where.at is not None
    assert where.at > now - timedelta(minutes=5)


@pytest.mark.parametrize("since", [datetime(1, 1, 1, 0, 30, tzinfo=UTC), datetime(1, 1, 1)])
async def test_a_recount_since_the_beginning_of_time_does_not_stop_later_counts(
    world: World, since: datetime
) -> None:
    await world.control("calls", {"make": 10, "leads": [1], "contacts": [1]})
    await world.count()
    assert (await world.count(since=since)).read >= 10
    assert (await world.count()).problems == {}
