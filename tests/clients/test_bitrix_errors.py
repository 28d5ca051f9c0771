"""What the client makes of refusals, odd answers and wrong addresses."""

from __future__ import annotations

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lib.clients.bitrix import Bitrix, NotFound
from lib.clients.bitrix_errors import error_from
from lib.errors import AnswerLost, Denied, PotokError, RateLimited, Rejected, Unavailable
from tests.sandbox_server import running


@pytest.mark.parametrize(
    "url", ["", "portal.bitrix24.ru", "https://p/rest/x/code/", "ftp://p/rest/1/c"]
)
def test_an_address_that_is_no_webhook_is_rejected(url: str) -> None:
    with pytest.raises(Rejected) as caught:
        Bitrix(url)
    assert not url or url not in str(caught.value)


ODD_ANSWERS = {
    "moved": (302, b"", {"location": "https://new.example/rest/"}, Denied),
    "login": (302, b"<html>", {"location": "/auth/"}, AnswerLost),
    "neither": (200, b'{"time":{}}', {}, AnswerLost),
    "list": (200, b"[]", {}, AnswerLost),
    "empty": (200, b"", {}, AnswerLost),
    "not found": (400, b'{"error":"","error_description":"Not found"}', {}, NotFound),
    "no code": (400, b'{"error":"","error_description":"ID is not defined"}', {}, Rejected),
    "error in a 200": (200, b'{"error":"expired_token"}', {}, Denied),
    "failed": (500, b'{"error":"INTERNAL_SERVER_ERROR"}', {}, AnswerLost),
    "odd types": (400, b'{"error":100,"error_description":null}', {}, Rejected),
}


@pytest.mark.parametrize("name", ODD_ANSWERS)
async def test_odd_answers_to_a_write(name: str) -> None:
    status, body, headers, expected = ODD_ANSWERS[name]

    async def answer(request: Request) -> Response:
        return Response(body, status, headers=headers)

    route = Route("/rest/1/code/{method}", answer, methods=["POST"])
    async with running(Starlette(routes=[route])) as url, Bitrix(f"{url}/rest/1/code/") as crm:
        with pytest.raises(PotokError) as caught:
            await crm.call("crm.item.add", {"fields": {}}, write=True)
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("QUERY_LIMIT_EXCEEDED", RateLimited),
        ("OVERLOAD_LIMIT", RateLimited),
        ("operation_time_limit", RateLimited),
        ("INVALID_CREDENTIALS", Denied),
        ("INSUFFICIENT_SCOPE", Denied),
        ("insufficient_scope", Denied),
        ("NO_AUTH_FOUND", Denied),
        ("PORTAL_DELETED", Denied),
        ("ACCESS_DENIED", Denied),
        ("ERROR_UNEXPECTED_ANSWER", Unavailable),
        ("NOT_FOUND", NotFound),
        ("ERROR_METHOD_NOT_FOUND", Rejected),
        ("ERROR_BATCH_LENGTH_EXCEEDED", Rejected),
        ("CRM_FIELD_ERROR_VALUE_NOT_VALID", Rejected),
        ("100", Rejected),
        ("", Rejected),
    ],
)
def test_the_error_table(code: str, expected: type[PotokError]) -> None:
    assert type(error_from("crm.item.add", code, "because", write=False)) is expected


def test_a_description_tells_nobodys_phone() -> None:
    told = str(error_from("m", "X", "bad +7 (916) 123-45-67 or a@b.ru<br>", write=True))
    assert told == "Bitrix24 m: X: bad … or …"


async def test_the_client_names_itself() -> None:
    seen: list[httpx.Headers] = []

    async def answer(request: Request) -> Response:
        seen.append(httpx.Headers(request.headers.raw))
        return Response(orjson.dumps({"result": True}))

    route = Route("/rest/1/code/profile", answer, methods=["POST"])
    async with running(Starlette(routes=[route])) as url, Bitrix(f"{url}/rest/1/code/") as crm:
        assert await crm.call("profile", write=False) is True
    assert seen[0]["user-agent"].startswith("potok/")
    assert seen[0]["content-type"] == "application/json"
