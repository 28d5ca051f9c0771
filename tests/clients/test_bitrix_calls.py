"""The client of the telephony's statistic against the stand-in portal, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix import Bitrix, NotFound
from lib.clients.bitrix_calls import PAGES_A_REQUEST, BitrixCalls
from lib.errors import Denied, RateLimited, Rejected, Unavailable
from tests.clients.books import CODE

STATISTIC = "voximplant.statistic.get"
FIELD = "UF_CRM_POTOK_CALLS"


@pytest.fixture(scope="module")
async def calls(base_url: str) -> AsyncIterator[BitrixCalls]:
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=10) as bitrix:
        yield BitrixCalls(bitrix)


def made(portal: Portal, number: int) -> None:
    portal.telephony.make({"make": number, "leads": [7], "contacts": [3], "days": 1})


async def walked(calls: BitrixCalls, after: int = 0, **conditions: Any) -> list[list[int]]:
    """The ids of every page of a walk."""
    pages = calls.pages(after, **conditions)
    return [[int(row["ID"]) for row in page] async for page in pages]


@pytest.mark.parametrize("number", [0, 1, 49, 50, 51, 1_050, 1_051, 2_500])
async def test_a_walk_reads_every_row_once_by_rising_id(
    calls: BitrixCalls, portal: Portal, number: int
) -> None:
    made(portal, number)
    pages = await walked(calls)
    assert [one for page in pages for one in page] == list(range(1, number + 1))
    assert max(map(len, pages), default=0) <= PAGES_A_REQUEST * 50
    assert portal.requests["batch"] <= 2 + number // (PAGES_A_REQUEST * 50)


async def test_a_walk_goes_on_where_another_ended(calls: BitrixCalls, portal: Portal) -> None:
    made(portal, 120)
    assert await walked(calls, after=118) == [[119, 120]]
    assert portal.commands[STATISTIC] == 1
    assert await walked(calls, after=120) == []


async def test_a_walk_keeps_to_its_window(calls: BitrixCalls, portal: Portal) -> None:
    made(portal, 120)
    since = datetime.fromisoformat(portal.telephony.calls[100].moment)
    pages = await walked(calls, since=since, until=110)
    assert pages == [list(range(100, 111))]
    assert await walked(calls, since=since + timedelta(days=1)) == []


async def test_rows_that_arrive_during_a_walk_shift_none(
    calls: BitrixCalls, portal: Portal
) -> None:
    made(portal, 1_100)
    found = []
    async for page in calls.pages():
        found += [int(row["ID"]) for row in page]
        if len(found) < 2_000:
            made(portal, 700)
            portal.telephony.forget(found[-1])  # and one that was read is gone
    assert found == sorted(set(found))
    assert set(range(1, 1_101)) <= set(found)


async def test_pages_before_a_refused_one_are_given(calls: BitrixCalls, portal: Portal) -> None:
    made(portal, 300)
    pages = calls.pages()
    assert len(await anext(pages)) == 50
    portal.failures.add({"kind": "poison", "marker": "100", "methods": [STATISTIC]})
    assert len(await anext(pages)) == 100  # start=0 and 50; the third is refused
    with pytest.raises(Rejected):
        await anext(pages)


async def test_what_keeps_the_statistic_shut_is_told(calls: BitrixCalls, portal: Portal) -> None:
    made(portal, 3)
    portal.failures.add({"kind": "insufficient_scope", "methods": [STATISTIC]})
    with pytest.raises(Denied, match="insufficient_scope"):
        await walked(calls)
    portal.failures.clear()
    portal.failures.add({"kind": "operation_time_limit", "methods": [STATISTIC]})
    with pytest.raises(RateLimited):
        await walked(calls)


async def test_the_leads_of_activities(calls: BitrixCalls, portal: Portal) -> None:
    wishes: list[list[list[Any]]] = [
        [["LEAD", 7]],
        [["LEAD", 8], ["CONTACT", 3]],
        [["CONTACT", 3], ["LEAD", 9]],
        [["CONTACT", 3]],
        [["LEAD", 7], ["LEAD", 9]],
    ]
    for bindings in wishes:
        portal.telephony.put({"CRM_ENTITY_TYPE": "CONTACT", "bindings": bindings})
    found = await calls.bound([1, 2, 3, 4, 5, 99])
    assert found.errors == []
    assert found.leads == {1: [7], 2: [8], 3: [9], 5: [7, 9]}
    assert portal.commands["crm.activity.binding.list"] == 2
    assert (await calls.bound([])).leads == {}


async def test_a_thousand_activities_take_one_request(calls: BitrixCalls, portal: Portal) -> None:
    for _ in range(1_000):
        portal.telephony.put({"CRM_ENTITY_TYPE": "CONTACT", "bindings": [["LEAD", 7]]})
    found = await calls.bound(range(1, 1_001))
    assert len(found.leads) == 1_000
    assert portal.requests["batch"] == 1


@pytest.mark.parametrize("method", ["crm.activity.list", "crm.activity.binding.list"])
async def test_bindings_that_may_not_be_seen_are_an_error_and_the_rest_is_known(
    calls: BitrixCalls, portal: Portal, method: str
) -> None:
    portal.telephony.put({"bindings": [["LEAD", 7]]})
    portal.telephony.put({"bindings": [["CONTACT", 3], ["LEAD", 9]]})
    portal.failures.add({"kind": "insufficient_scope", "methods": [method]})
    found = await calls.bound([1, 2])
    [error] = found.errors
    assert isinstance(error, Denied)
    assert found.leads == ({1: [7]} if "binding" in method else {})
    portal.failures.clear()
    portal.failures.add({"kind": "operation_time_limit", "methods": [method]})
    with pytest.raises(Unavailable):
        await calls.bound([1, 2])


async def test_a_lead_gets_its_number_of_calls_and_one_that_is_gone_says_so(
    calls: BitrixCalls, portal: Portal
) -> None:
    portal.add(1, {"title": "x"}, [])
    told = await calls.tell({1: 5, 99: 1})
    assert told[1] is None  # there is no such field, and the portal says nothing
    assert isinstance(told[99], NotFound)
    portal.user_fields[FIELD] = {"USER_TYPE_ID": "integer"}
    await calls.tell({1: 5})
    assert portal.items[1][1][FIELD] == 5
