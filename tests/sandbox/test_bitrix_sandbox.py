"""The stand-in portal answers as the vendor's documents say, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from deployments.sandbox.bitrix import Portal, bitrix_app, bitrix_control
from tests.sandbox_server import running

REST = "/bitrix/rest/1/code"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


CLOCK = Clock()
PORTAL = Portal(code="code", clock=CLOCK)


@pytest.fixture
def clock() -> Clock:
    return CLOCK


@pytest.fixture
def portal() -> Portal:
    PORTAL.reset()
    return PORTAL


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[
            Mount("/bitrix", bitrix_app(PORTAL)),
            Mount("/control/bitrix", routes=bitrix_control(PORTAL)),
        ]
    )
    async with (
        running(app) as url,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def http(door: httpx.AsyncClient, portal: Portal) -> httpx.AsyncClient:
    return door


async def ask(http: httpx.AsyncClient, method: str, params: dict[str, Any]) -> Any:
    answer = await http.post(f"{REST}/{method}", json=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_json_urlencoded_multipart_and_query_are_the_same(
    http: httpx.AsyncClient, portal: Portal
) -> None:
    flat = {
        "fields[TITLE]": "Заявка",
        "fields[PHONE][0][VALUE]": "8 (916) 123-45-67",
        "fields[OPPORTUNITY]": "10.5",
    }
    nested = {"TITLE": "Заявка", "PHONE": [{"VALUE": "8 (916) 123-45-67"}], "OPPORTUNITY": 10.5}
    for answer in (
        await http.post(f"{REST}/crm.lead.add.json", json={"fields": nested}),
        await http.post(f"{REST}/CRM.lead.add", data=flat),
        await http.post(f"{REST}/crm.lead.add", files={k: (None, v) for k, v in flat.items()}),
        await http.get(f"{REST}/crm.lead.add", params=flat),
    ):
        assert answer.status_code == 200, answer.text
    rows = [
        {name: item[name] for name in ("title", "opportunity", "hasPhone")}
        for item in portal.items[1].values()
    ]
    assert rows == [{"title": "Заявка", "opportunity": 10.5, "hasPhone": "Y"}] * 4


async def test_the_two_dialects_show_one_lead(http: httpx.AsyncClient) -> None:
    added = await ask(
        http,
        "crm.item.add",
        {"entityTypeId": 1, "fields": {"title": "A", "opportunity": "7", "nothing": 1}},
    )
    item = added["result"]["item"]
    assert (item["id"], item["opportunity"], item["stageId"]) == (1, 7, "NEW")
    assert "nothing" not in item
    assert {"start", "finish", "operating", "operating_reset_at"} <= added["time"].keys()
    old = (await ask(http, "crm.lead.get", {"id": 1}))["result"]
    assert (old["ID"], old["OPPORTUNITY"], old["STATUS_ID"]) == ("1", "7.00", "NEW")
    assert "PHONE" not in old
    assert all(value is None or isinstance(value, str) for value in old.values())


async def test_multifields_change_by_id_and_append_without(http: httpx.AsyncClient) -> None:
    phone = {"typeId": "PHONE", "value": "+79160000001"}
    await ask(http, "crm.item.add", {"entityTypeId": 1, "fields": {"fm": [phone, phone]}})
    changes = [
        {"id": 1, "typeId": "PHONE", "value": "+79160000002"},
        {"id": 2, "typeId": "PHONE", "value": ""},
        {"typeId": "EMAIL", "value": "Anna@Example.ru"},
    ]
    update = {"entityTypeId": 1, "id": 1, "fields": {"fm": changes}}
    item = (await ask(http, "crm.item.update", update))["result"]["item"]
    assert [entry["value"] for entry in item["fm"]] == ["+79160000002", "Anna@Example.ru"]
    for kind, value, found in (
        ("PHONE", "8 916 000-00-02", {"LEAD": [1]}),
        ("PHONE", "+79160000001", []),
        ("EMAIL", "anna@example.RU", {"LEAD": [1]}),
    ):
        params = {"type": kind, "values": [value]}
        assert (await ask(http, "crm.duplicate.findbycomm", params))["result"] == found


async def test_duplicates_are_allowed_and_found_by_type(http: httpx.AsyncClient) -> None:
    fields = {"originId": "tg:1", "fm": [{"typeId": "PHONE", "value": "+79160000001"}]}
    for entity in (1, 1, 3):
        await ask(http, "crm.item.add", {"entityTypeId": entity, "fields": fields})
    params: dict[str, Any] = {"type": "PHONE", "values": ["79160000001"]}
    found = await ask(http, "crm.duplicate.findbycomm", params)
    assert found["result"] == {"LEAD": [1, 2], "CONTACT": [1]}
    only = await ask(http, "crm.duplicate.findbycomm", {**params, "entity_type": "CONTACT"})
    assert only["result"] == {"CONTACT": [1]}


async def test_twenty_duplicates_hide_the_next_types(
    http: httpx.AsyncClient, portal: Portal
) -> None:
    phone = {"id": None, "typeId": "PHONE", "valueType": "WORK", "value": "+79160000001"}
    for entity in [1] * 25 + [3]:
        portal.add(entity, {}, [phone])
    params = {"type": "PHONE", "values": ["+79160000001"]}
    found = (await ask(http, "crm.duplicate.findbycomm", params))["result"]
    assert found == {"LEAD": list(range(1, 21))}


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        ({}, [1, 2, 3]),
        ({"originId": "b"}, [2]),
        ({"@originId": ["a", "C"]}, [1, 3]),
        ({"originId": ["a", "b"], "originatorId": "potok"}, [1, 2]),
        ({"@id": [3, "1", 99]}, [1, 3]),
        ({">id": 1}, [2, 3]),
        ({">id": "1", "<id": 3}, [2]),
        ({">=opportunity": "20"}, [2, 3]),
        ({"!originId": "a"}, [2, 3]),
        ({"!@originId": ["a", "b"]}, [3]),
        ({"%title": "ЯВКА"}, [1, 2, 3]),
        ({"=%title": "%2"}, [2]),
        ({"name": ""}, [1, 2, 3]),
        ({"!name": None}, []),
        ({">updatedTime": "2020-01-01T00:00:00+03:00"}, [1, 2, 3]),
    ],
)
async def test_filters(
    http: httpx.AsyncClient, portal: Portal, filter: dict[str, Any], ids: list[int]
) -> None:
    for number, origin in enumerate("abc", start=1):
        values = {"title": f"Заявка {number}", "opportunity": number * 10}
        portal.add(1, {**values, "originId": origin, "originatorId": "potok"}, [])
    answer = await ask(http, "crm.item.list", {"entityTypeId": 1, "filter": filter})
    assert [item["id"] for item in answer["result"]["items"]] == ids
    assert answer["total"] == len(ids)


async def test_pages_order_and_select(http: httpx.AsyncClient, portal: Portal) -> None:
    for number in range(120):
        portal.add(1, {"title": str(number)}, [])
    first = await ask(http, "crm.item.list", {"entityTypeId": 1, "select": ["title"]})
    assert (len(first["result"]["items"]), first["total"], first["next"]) == (50, 120, 50)
    assert first["result"]["items"][0] == {"id": 1, "title": "0"}
    inexact = await ask(http, "crm.item.list", {"entityTypeId": 1, "start": 10})
    assert inexact["result"]["items"][0]["id"] == 1
    last = await ask(http, "crm.lead.list", {"start": 100, "order": {"ID": "DESC"}})
    assert [row["ID"] for row in last["result"]] == [str(n) for n in range(20, 0, -1)]
    assert "next" not in last
    uncounted = await ask(http, "crm.item.list", {"entityTypeId": 1, "start": -1})
    assert len(uncounted["result"]["items"]) == 50
    assert not uncounted.get("total")
    assert "next" not in uncounted


async def test_batch_speaks_php(http: httpx.AsyncClient) -> None:
    commands = {
        "add": "crm.item.add?entityTypeId=1&fields[title]=%D0%96",
        "get": "crm.lead.get?id=$result[add][item][id]",
        "bad": "crm.lead.get?id=77",
        "deep": "batch?cmd[a]=profile",
        "odd": ["profile"],
    }
    answer = (await ask(http, "batch", {"CMD": commands}))["result"]
    assert answer["result"]["get"]["TITLE"] == "Ж"
    assert answer["result_error"]["bad"] == {"error": "", "error_description": "Not found"}
    assert answer["result_error"]["deep"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    assert answer["result_next"] == answer["result_total"] == []
    assert "odd" not in answer["result"] | answer["result_error"]
    listed = (await ask(http, "batch", {"cmd": ["profile", "nothing", "profile"]}))["result"]
    assert set(listed["result"]) == {"0", "2"}
    assert listed["result_error"]["1"]["error"] == "ERROR_METHOD_NOT_FOUND"
    long = (await ask(http, "batch", {"cmd": {f"k{n}": "profile" for n in range(51)}}))["result"]
    assert (len(long["result"]), list(long["result_error"])) == (50, ["k50"])
    halted = await ask(http, "batch", {"halt": 1, "cmd": ["nothing", "profile"]})
    assert halted["result"]["result"] == []


@pytest.mark.parametrize(
    ("method", "params", "status", "error"),
    [
        ("crm.lead.get", {"id": 5}, 400, ""),
        ("crm.nothing", {}, 404, "ERROR_METHOD_NOT_FOUND"),
        ("crm.item.add", {"fields": {}}, 400, "100"),
        ("crm.item.add", {"entityTypeId": 2, "fields": {}}, 400, "NOT_FOUND"),
        ("crm.item.get", {"entityTypeId": 1, "id": 5}, 400, "NOT_FOUND"),
        ("crm.item.list", {"entityTypeId": 1, "filter": {"x": 1}}, 400, "INVALID_ARG_VALUE"),
        ("crm.item.list", {"entityTypeId": 1, "order": {"id": "UP"}}, 400, "INVALID_ARG_VALUE"),
        (
            "crm.item.add",
            {"entityTypeId": 1, "fields": {"opportunity": "много"}},
            400,
            "CRM_FIELD_ERROR_VALUE_NOT_VALID",
        ),
        ("crm.timeline.comment.add", {"fields": {"ENTITY_ID": 9}}, 400, "OWNER_NOT_FOUND"),
        ("crm.duplicate.findbycomm", {"type": "FAX"}, 400, "ERROR_CORE"),
    ],
)
async def test_refusals(
    http: httpx.AsyncClient, method: str, params: dict[str, Any], status: int, error: str
) -> None:
    answer = await http.post(f"{REST}/{method}", json=params)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_wrong_code_is_refused_before_anything(http: httpx.AsyncClient) -> None:
    for path, error in (("1/other/profile", "INVALID_CREDENTIALS"), ("profile", "NO_AUTH_FOUND")):
        answer = await http.get(f"/bitrix/rest/{path}")
        assert (answer.status_code, answer.json()["error"]) == (401, error)


async def test_the_bucket_overflows_and_drains(http: httpx.AsyncClient, clock: Clock) -> None:
    statuses = [(await http.get(f"{REST}/profile")).status_code for _ in range(52)]
    assert statuses == [200] * 50 + [503] * 2
    clock.now_s += 1
    statuses = [(await http.get(f"{REST}/profile")).status_code for _ in range(3)]
    assert statuses == [200, 200, 503]
    off = await http.post("/control/bitrix/limit", json={"off": True})
    assert off.json() == {"off": True}
    assert (await http.get(f"{REST}/profile")).status_code == 200


async def test_comments_stay_with_their_lead(http: httpx.AsyncClient) -> None:
    await ask(http, "crm.item.add", {"entityTypeId": 1, "fields": {"originId": "tg:1"}})
    owner = {"ENTITY_ID": 1, "ENTITY_TYPE": "lead"}
    for text in ("раз", "два"):
        await ask(http, "crm.timeline.comment.add", {"fields": {**owner, "COMMENT": text}})
    listed = (await ask(http, "crm.timeline.comment.list", {"filter": owner}))["result"]
    assert [row["COMMENT"] for row in listed] == ["раз", "два"]
    [shown] = (await http.get("/control/bitrix/leads", params={"originId": "tg:1"})).json()
    assert [row["COMMENT"] for row in shown["timeline"]] == ["раз", "два"]
    await ask(http, "crm.item.delete", {"entityTypeId": 1, "id": 1})
    gone = await http.post(f"{REST}/crm.timeline.comment.list", json={"filter": owner})
    assert gone.json()["error"] == "OWNER_NOT_FOUND"


async def test_control_shows_and_resets(http: httpx.AsyncClient, portal: Portal) -> None:
    wish = [{"kind": "poison", "marker": "☠"}, {"kind": "html_502", "times": 2}]
    switched = (await http.post("/control/bitrix/failures", json=wish)).json()
    assert [failure["times"] for failure in switched] == [None, 2]
    assert (await http.get(f"{REST}/profile")).status_code == 502
    body = {"entityTypeId": 1, "fields": {"title": "☠"}}
    statuses = [(await http.post(f"{REST}/crm.item.add", json=body)).status_code for _ in range(2)]
    assert statuses == [502, 400]
    state = (await http.get("/control/bitrix/state")).json()
    assert state["stored"] == {"leads": 0, "contacts": 0, "companies": 0, "comments": 0}
    assert state["requests"] == {"profile": 1, "crm.item.add": 2}
    assert state["recent"]["profile"][0]["status"] == 502
    assert (await http.delete("/control/bitrix/failures")).json() == []
    for wrong in ({"kind": "flood"}, {"kind": "poison", "x": 1}, 5):
        assert (await http.post("/control/bitrix/failures", json=wrong)).status_code == 422
    assert (await http.post("/control/bitrix/limit", json={"burst": "x"})).status_code == 422
    before = await ask(http, "crm.item.add", {"entityTypeId": 1, "fields": {}})
    assert (await http.post("/control/bitrix/reset")).json()["requests"] == {}
    after = await ask(http, "crm.item.add", {"entityTypeId": 1, "fields": {}})
    assert after["result"]["item"]["id"] > before["result"]["item"]["id"]
