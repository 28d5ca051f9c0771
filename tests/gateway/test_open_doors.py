"""The gateway over real connections: what it does with callers that ask too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import httpx
import orjson
import pytest

from lib.gateway import body as body_module
from lib.gateway.app import create_app
from lib.gateway.body import MAX_BODY_BYTES
from lib.gateway.headers import MAX_HEADERS, MAX_HEADERS_BYTES
from lib.gateway.hooks import DoorKeys
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.domain.making import update
from tests.gateway.doors import BOT_SECRET
from tests.sandbox_server import running

SECRET = f"X-Telegram-Bot-Api-Secret-Token: {BOT_SECRET}"
DOOR = "/hooks/telegram/main"


@pytest.fixture
async def url(db: Database) -> AsyncIterator[str]:
    async with running(create_app(Inbox(db), DoorKeys({"main": BOT_SECRET}), {})) as opened:
        yield opened


async def said(url: str, headers: Iterable[str], body: bytes = b"") -> str:
    """Post over a connection of its own, and read until the gateway closes it."""
    host = httpx.URL(url)
    reader, writer = await asyncio.open_connection(host.host, host.port)
    head = "\r\n".join([f"POST {DOOR} HTTP/1.1", "Host: gate", SECRET, *headers])
    writer.write(head.encode() + b"\r\n\r\n" + body)
    try:
        async with asyncio.timeout(20):
            return (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_connection_of_a_body_that_is_too_large_is_closed(url: str) -> None:
    answer = await said(url, [f"Content-Length: {MAX_BODY_BYTES + 1}"])
    assert answer.startswith("HTTP/1.1 413 ")
    assert "\r\nconnection: close\r\n" in answer


async def test_the_connection_of_a_body_that_does_not_come_is_closed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_module, "BODY_TIMEOUT_S", 0.05)
    answer = await said(url, ["Content-Length: 100"], b'{"update_id":')
    assert answer.startswith("HTTP/1.1 408 ")
    assert "\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize(
    "headers",
    [
        [f"X-{number}: 1" for number in range(MAX_HEADERS)],
        ["X-Long: " + "x" * MAX_HEADERS_BYTES],
        ["X-" + "x" * MAX_HEADERS_BYTES + ": 1"],
    ],
    ids=["many", "a long value", "a long name"],
)
async def test_too_many_headers_are_431_and_the_connection_is_closed(
    url: str, headers: list[str]
) -> None:
    answer = await said(url, headers)
    assert answer.startswith("HTTP/1.1 431 ")
    assert "\r\nconnection: close\r\n" in answer


async def test_the_headers_that_proxies_add_are_taken(url: str) -> None:
    body = orjson.dumps(update())
    long = "x" * (MAX_HEADERS_BYTES // 2)
    added = [f"X-Forwarded-{number}: 1" for number in range(MAX_HEADERS // 2)]
    length = f"Content-Length: {len(body)}"
    answer = await said(url, [*added, f"Cookie: {long}", length, "Connection: close"], body)
    assert answer.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect"])
async def test_a_stranger_is_told_of_no_door(url: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        assert (await client.get(path)).status_code == 404
