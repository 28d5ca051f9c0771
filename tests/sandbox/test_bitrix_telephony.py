"""The stand-in portal's calls: the statistic, the activities made of them, and their bindings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from deployments.sandbox.bitrix import Portal, bitrix_app, bitrix_control
from tests.sandbox_server import running

PORTAL = Portal(code="code", burst=None)
MANY = {"make": 130, "seed": 1, "leads": [7, 8], "contacts": [3]}


class Rest:
    """The portal as a program of the company asks it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        answer = await self._http.post(f"/bitrix/rest/1/code/{method}", json=params)
        body: dict[str, Any] = answer.json()
        return body

    async def make(self, *calls: dict[str, Any]) -> None:
        answer = await self._http.post("/control/bitrix/calls", json=list(calls))
        answer.raise_for_status()

    async def make_many(self, **wish: Any) -> int:
        answer = await self._http.post("/control/bitrix/calls", json=wish)
        return answer.status_code


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    PORTAL.reset()
    routes = [
        Mount("/control/bitrix", routes=bitrix_control(PORTAL)),
        Mount("/bitrix", bitrix_app(PORTAL)),
    ]
    async with (
        running(Starlette(routes=routes)) as url,
        httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http,
    ):
        yield Rest(http)


async def test_a_page_of_the_statistic_has_50_rows_of_strings(rest: Rest) -> None:
    assert await rest.make_many(**MANY) == 200
    first = await rest.ask("voximplant.statistic.get", SORT="ID", ORDER="ASC")
    assert (len(first["result"]), first["total"], first["next"]) == (50, 130, 50)
    assert {type(v) for row in first["result"] for v in row.values()} == {str, type(None)}
    last = await rest.ask("voximplant.statistic.get", SORT="ID", ORDER="ASC", start=100)
    assert len(last["result"]) == 30
    assert "next" not in last
    rounded = await rest.ask("voximplant.statistic.get", SORT="ID", ORDER="ASC", start=149)
    assert rounded["result"] == last["result"]


async def test_parameters_in_small_letters_are_not_read(rest: Rest) -> None:
    await rest.make_many(**MANY)
    found = await rest.ask("voximplant.statistic.get", filter={"ID": 1}, order={"ID": "ASC"})
    assert found["total"] == 130


async def test_minus_one_switches_no_counting_off(rest: Rest) -> None:
    await rest.make_many(**MANY)
    found = await rest.ask("voximplant.statistic.get", start=-1)
    assert (found["total"], found["next"]) == (130, 50)


async def test_conditions_and_sorting(rest: Rest) -> None:
    await rest.make(
        {"CALL_START_DATE": "2026-11-20T10:00:00+03:00", "CALL_DURATION": 5},
        {"CALL_START_DATE": "2026-11-18T10:00:00+03:00", "CALL_FAILED_CODE": "304"},
        {"CALL_START_DATE": "2026-11-19T10:00:00+03:00", "CALL_TYPE": 1},
    )

    async def ids(sort: str = "ID", order: str = "ASC", **conditions: Any) -> list[str]:
        given = {key.replace("_ge_", ">=").replace("_gt_", ">"): v for key, v in conditions.items()}
        found = await rest.ask(
            "voximplant.statistic.get", FILTER=given, SORT=sort, ORDER=order, start=0
        )
        return [row["ID"] for row in found["result"]]

    assert await ids() == ["1", "2", "3"]
    assert await ids(order="DESC") == ["3", "2", "1"]
    assert await ids(sort="CALL_START_DATE") == ["2", "3", "1"]
    assert await ids(_gt_ID=2) == ["3"]
    assert await ids(_ge_CALL_START_DATE="2026-11-19T10:00:00+03:00") == ["1", "3"]
    assert await ids(CALL_TYPE=[1, 4]) == ["3"]
    assert await ids(CALL_FAILED_CODE="304") == ["2"]
    assert await ids(ID=[1, 3, 99]) == ["1", "3"]
    assert await ids(NOBODY_KNOWS="x") == ["1", "2", "3"]


async def test_a_call_of_a_contact_names_its_lead_only_in_the_bindings(rest: Rest) -> None:
    both = [["CONTACT", 3], ["LEAD", 7]]
    await rest.make(
        {"CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 3, "bindings": both},
        {"CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 4},
        {"PHONE_NUMBER": "+79160000001"},
    )
    rows = (await rest.ask("voximplant.statistic.get"))["result"]
    assert [row["CRM_ENTITY_TYPE"] for row in rows] == ["CONTACT", "CONTACT", ""]
    assert [row["CRM_ACTIVITY_ID"] for row in rows] == ["1", "2", "0"]
    found = await rest.ask(
        "crm.activity.list",
        filter={"@ID": [1, 2, 3], "TYPE_ID": 2, "BINDINGS": [{"OWNER_TYPE_ID": 1}]},
    )
    [activity] = found["result"]
    assert (activity["ID"], activity["OWNER_TYPE_ID"], activity["OWNER_ID"]) == ("1", "3", "3")
    assert "BINDINGS" not in activity
    bound = await rest.ask("crm.activity.binding.list", activityId=1)
    assert {"entityTypeId": 1, "entityId": 7} in bound["result"]
    assert (await rest.ask("crm.activity.binding.list", activityId=3))["error"] == "NOT_FOUND"


async def test_an_activity_that_fits_two_bindings_comes_twice(rest: Rest) -> None:
    await rest.make({"CRM_ENTITY_ID": 3, "bindings": [["CONTACT", 3], ["LEAD", 7]]})
    pairs = [{"OWNER_TYPE_ID": 1, "OWNER_ID": 7}, {"OWNER_TYPE_ID": 3}]
    found = await rest.ask("crm.activity.list", filter={"BINDINGS": pairs}, select=["ID"])
    assert found["result"] == [{"ID": "1"}, {"ID": "1"}]
    await rest.make({"CRM_ENTITY_ID": 3, "bindings": [["LEAD", 8], ["LEAD", 7]]})
    of_leads = {"@ID": [2], "BINDINGS": [{"OWNER_TYPE_ID": 1}]}
    found = await rest.ask("crm.activity.list", filter=of_leads, select=["ID"])
    assert found["result"] == [{"ID": "2"}, {"ID": "2"}]


async def test_a_known_call_is_changed_and_one_from_the_past_keeps_the_order(rest: Rest) -> None:
    await rest.make({}, {"ID": 9}, {"ID": 5}, {"ID": 9, "CALL_DURATION": 77})
    rows = (await rest.ask("voximplant.statistic.get", SORT="ID"))["result"]
    assert [(row["ID"], row["CALL_DURATION"]) for row in rows] == [
        ("1", "60"),
        ("5", "60"),
        ("9", "77"),
    ]


async def test_the_same_seed_makes_the_same_calls_and_a_reset_gives_no_id_twice(
    rest: Rest,
) -> None:
    await rest.make_many(**MANY)
    first = [call.bindings for call in PORTAL.telephony.calls.values()]
    PORTAL.reset(keep_ids=True)
    await rest.make_many(**MANY)
    assert [call.bindings for call in PORTAL.telephony.calls.values()] == first
    assert min(PORTAL.telephony.calls) == 131


async def test_a_wish_that_makes_no_sense_is_refused(rest: Rest) -> None:
    assert await rest.make_many(make="many") == 422
    assert await rest.make_many(bindings=[["NOBODY", 1]]) == 422
