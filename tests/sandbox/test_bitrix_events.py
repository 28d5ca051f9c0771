"""The stand-in portal tells of changes once, keeps user fields, and lists what has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from deployments.sandbox.bitrix import Portal, bitrix_app, bitrix_control
from tests.sandbox_server import running
from tests.support import until

REST = "/bitrix/rest/1/code"
CONTROL = "/control/bitrix"
PORTAL = Portal(code="code", burst=None)


@dataclass
class Heard:
    """What the handler of events was told."""

    forms: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    def events(self) -> list[tuple[str, str]]:
        return [(form["event"], form.get("data[FIELDS][ID]", "")) for form in self.forms]


@dataclass
class World:
    """A portal with a handler of its events."""

    http: httpx.AsyncClient
    heard: Heard
    url: str

    async def ask(self, method: str, **params: Any) -> Any:
        answer = await self.http.post(f"{REST}/{method}", json=params)
        body = answer.json()
        return body["result"] if answer.status_code == 200 else body

    async def hears(self, condition: Callable[[], object]) -> None:
        await until(condition, 10)
        await until(lambda: not PORTAL.outgoing.pending)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    heard = Heard()

    async def hear(request: Request) -> Response:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        heard.forms.append({name: values[0] for name, values in form.items()})
        return Response(status_code=heard.status)

    PORTAL.reset()
    app = Starlette(
        routes=[
            Mount("/bitrix", bitrix_app(PORTAL)),
            Mount(CONTROL, routes=bitrix_control(PORTAL)),
            Route("/hear", hear, methods=["POST"]),
        ]
    )
    async with (
        running(app) as url,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as http,
    ):
        yield World(http, heard, url)


async def set_handler(world: World, **more: Any) -> None:
    body = {"url": f"{world.url}/hear", "token": "t0ken"} | more
    assert (await world.http.post(f"{CONTROL}/handler", json=body)).status_code == 200


async def test_changes_of_leads_are_told_once_with_php_brackets(world: World) -> None:
    await set_handler(world)
    lead = (await world.ask("crm.item.add", entityTypeId=1, fields={"title": "А"}))["item"]["id"]
    await world.ask("crm.item.add", entityTypeId=3, fields={"name": "no lead, no event"})
    await world.ask("crm.lead.update", id=lead, fields={"STATUS_ID": "IN_PROCESS"})
    said = {"ENTITY_ID": lead, "ENTITY_TYPE": "lead", "COMMENT": "звонил"}
    comment = await world.ask("crm.timeline.comment.add", fields=said)
    await world.ask("crm.item.delete", entityTypeId=1, id=lead)
    await world.hears(lambda: len(world.heard.forms) == 4)
    assert sorted(world.heard.events()) == [
        ("ONCRMLEADADD", str(lead)),
        ("ONCRMLEADDELETE", str(lead)),
        ("ONCRMLEADUPDATE", str(lead)),
        ("ONCRMTIMELINECOMMENTADD", str(comment)),
    ]
    assert all(form["auth[application_token]"] == "t0ken" for form in world.heard.forms)
    assert {"auth[domain]", "auth[member_id]", "ts"} <= set(world.heard.forms[0])
    assert PORTAL.outgoing.counts == {"delivered": 4}


async def test_a_call_is_told_with_its_own_fields(world: World) -> None:
    await set_handler(world, events=["ONVOXIMPLANTCALLEND"])
    PORTAL.announce("ONVOXIMPLANTCALLEND", CALL_ID="c-1", CALL_DURATION=7)
    PORTAL.announce("ONCRMLEADADD", ID=1)
    await world.hears(lambda: world.heard.forms)
    (form,) = world.heard.forms
    assert (form["data[CALL_ID]"], form["data[CALL_DURATION]"]) == ("c-1", "7")


async def test_an_event_that_is_lost_or_refused_never_comes_again(world: World) -> None:
    await set_handler(world)
    lose = {"kind": "lose_event", "methods": ["ONCRMLEADUPDATE"]}
    assert (await world.http.post(f"{CONTROL}/failures", json=lose)).status_code == 200
    lead = PORTAL.add(1, {}, [])
    PORTAL.update(1, lead, {"title": "unheard"}, [])
    await world.hears(lambda: len(world.heard.forms) == 1)
    world.heard.status = 503
    PORTAL.update(1, lead, {"title": "refused"}, [])
    await world.hears(lambda: len(world.heard.forms) == 2)
    assert PORTAL.outgoing.counts == {"delivered": 1, "refused": 1, "lost": 1}


async def test_nobody_is_told_before_a_handler_is_set_nor_after_it_is_removed(
    world: World,
) -> None:
    PORTAL.add(1, {}, [])
    await set_handler(world)
    assert (await world.http.get(f"{CONTROL}/handler")).json()["token"] == "…"
    await world.http.delete(f"{CONTROL}/handler")
    PORTAL.add(1, {}, [])
    assert not PORTAL.outgoing.pending
    assert PORTAL.outgoing.counts == {}
    wrong = await world.http.post(f"{CONTROL}/handler", json={"url": "x"})
    assert wrong.status_code == 422


async def test_user_fields_are_made_once_and_kept_with_the_lead(world: World) -> None:
    field = {"FIELD_NAME": "POTOK_SCORE", "USER_TYPE_ID": "integer"}
    assert await world.ask("crm.lead.userfield.add", fields=field) == 1
    twice = await world.ask("crm.lead.userfield.add", fields=field)
    assert "уже существует" in twice["error_description"]
    nameless = await world.ask("crm.lead.userfield.add", fields={"USER_TYPE_ID": "integer"})
    assert nameless["error"] == "ERROR_ARGUMENT"
    (row,) = await world.ask("crm.lead.userfield.list", filter={})
    assert (row["FIELD_NAME"], row["USER_TYPE_ID"]) == ("UF_CRM_POTOK_SCORE", "integer")
    lead = (await world.ask("crm.item.add", entityTypeId=1, fields={"title": "А"}))["item"]
    assert lead["ufCrmPotokScore"] is None
    original = {"entityTypeId": 1, "useOriginalUfNames": "Y"}
    written = {"UF_CRM_POTOK_SCORE": "77", "UF_CRM_NOBODY": 5, "ufCrmPotokScore": 1}
    answer = await world.ask("crm.item.update", **original, id=lead["id"], fields=written)
    assert answer["item"]["UF_CRM_POTOK_SCORE"] == 77
    assert not {"UF_CRM_NOBODY", "ufCrmPotokScore"} & set(answer["item"])
    select = {"select": ["id", "UF_CRM_POTOK_SCORE"], "filter": {"@id": [lead["id"]]}}
    listed = await world.ask("crm.item.list", **original, **select)
    assert listed["items"] == [{"id": lead["id"], "UF_CRM_POTOK_SCORE": 77}]
    shown = await world.ask("crm.item.get", entityTypeId=1, id=lead["id"])
    assert shown["item"]["ufCrmPotokScore"] == 77
    wrong = {"UF_CRM_POTOK_SCORE": "много"}
    refused = await world.ask("crm.item.update", **original, id=lead["id"], fields=wrong)
    assert refused["error"] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"


async def test_what_changed_since_a_second_is_listed_and_a_move_has_its_time(world: World) -> None:
    old = PORTAL.add(1, {"originatorId": "potok", "originId": "a"}, [])
    old.update(updatedTime="2026-01-01T00:00:00+03:00", movedTime="2026-01-01T00:00:00+03:00")
    new = PORTAL.add(1, {"originatorId": "potok", "originId": "b"}, [])
    PORTAL.add(1, {"originatorId": "other"}, [])
    since = {"originatorId": "potok", ">=updatedTime": "2026-01-01T00:00:01+03:00", ">id": 0}
    listed = await world.ask("crm.item.list", entityTypeId=1, filter=since, select=["id"])
    assert [item["id"] for item in listed["items"]] == [new["id"]]
    since[">=updatedTime"] = "2025-12-31T21:00:00+00:00"
    listed = await world.ask("crm.item.list", entityTypeId=1, filter=since, select=["id"])
    assert [item["id"] for item in listed["items"]] == [old["id"], new["id"]]
    PORTAL.update(1, old, {"title": "the same stage"}, [])
    assert old["movedTime"] == "2026-01-01T00:00:00+03:00"
    PORTAL.update(1, old, {"stageId": "IN_PROCESS"}, [])
    assert old["movedTime"] == old["updatedTime"]


async def test_a_comment_is_found_by_its_id_and_the_rights_are_told(world: World) -> None:
    lead = PORTAL.add(1, {}, [])
    number = PORTAL.comment(1, lead["id"], "звонил")
    row = await world.ask("crm.timeline.comment.get", id=number)
    assert (row["ENTITY_ID"], row["ENTITY_TYPE"], row["COMMENT"]) == (
        str(lead["id"]), "lead", "звонил",
    )  # fmt: skip
    gone = await world.ask("crm.timeline.comment.get", id=number + 1)
    assert gone == {"error": "", "error_description": "Not found."}
    assert await world.ask("scope") == ["crm", "telephony"]
