"""Hostile providers: each ends in an error in time, and nothing of it is kept or told."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lib.domain.llm.wire import EVENT_LIMIT_BYTES
from lib.store.engine import Database
from tests.gateway.llm.open_house import PROVIDER_KEY, Open, opened, until

CHAT = {"model": "bad", "messages": [{"role": "user", "content": "ping-of-a-client"}]}
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ENDLESS = [
    SSE + b"data: " + b"x" * EVENT_LIMIT_BYTES,
    SSE + b": a comment\n\n" * 1000,
    SSE + b'data: {"choices":[]}\n\n' * 1000,
    SSE + b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n' * 1000,
]
WHOLE = [
    b"\x00\xff garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
    JSON + b"content-length: 9\r\n\r\n{}",
    JSON + b"\r\n<html>hello</html>",
    JSON + b"\r\n" + b'{"choices":' + b"[" * 900 + b"]" * 900 + b"}",
    JSON + b'\r\n{"choices":[{"message":{"content":' + b"[" * 500 + b"]" * 500 + b"}}]}",
    JSON + b"content-encoding: gzip\r\n\r\n" + gzip.compress(b" " * 300_000_000, 1),
    JSON + b"content-encoding: gzip\r\n\r\nno gzip",
    b"HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 401 No\r\ncontent-length: 200\r\n\r\n"
    + f"wrong key {PROVIDER_KEY}".ljust(200).encode(),
    SSE + TOKEN[:-1] + b"data: no json\n\n",
    SSE + b'data: {"choices":[{"delta":{"content":' + b"[" * 500 + b"]" * 500 + b"}}]}\n\n",
    SSE + b'data: {"choices":[{"delta":{"content":{"a":1},"tool_calls":[1,null]}}],"usage":7}\n\n',
    SSE + b'data: {"choices":{"a":1}}\n\ndata: {"choices":[7]}\n\ndata: 7\n\n',
]


@asynccontextmanager
async def behind(
    db: Database, home: Path, answer: Callable[[asyncio.StreamWriter], AsyncIterator[bytes]]
) -> AsyncIterator[Open]:
    """A door whose model ``bad`` is at a provider that answers so."""

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            async for piece in answer(writer):
                writer.write(piece)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(told, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = {"connect": 1, "first_token": 0.7, "total": 1.5}
    bad = {
        "kind": "openai",
        "base_url": f"http://127.0.0.1:{port}",
        "credential": "openrouter",
        "at_once": 1,
        "tries": 1,
        "timeouts": limits,
    }
    said = {
        "providers": {"bad": bad},
        "aliases": {"bad": {"candidates": [{"provider": "bad", "model": "worse"}]}},
    }
    try:
        async with opened(db.dsn, home, said) as door:
            yield door
    finally:
        server.close()


async def check(door: Open, stream: bool, caplog: pytest.LogCaptureFixture, path: str) -> str:
    """Ask the bad provider; what is told must be good, and the place free after it."""
    async with asyncio.timeout(15):
        answer = await door.ask(path, CHAT | {"stream": stream, "max_tokens": 9})
    assert answer.status_code in (200, 502, 503), answer.text
    [call] = await door.calls()
    assert call["outcome"] == (
        "ok" if answer.status_code == 200 and "error" not in answer.text else "failed"
    ), (call, answer.text[:500])
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (PROVIDER_KEY, door.key):
        assert secret not in answer.text + logged + str(call)
    assert "ping-of-a-client" not in logged + str(call)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR], logged
    async with door.house.router.slots.place("bad", 1, 1.0, 1):
        pass
    return answer.text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("number", range(len(WHOLE)))
async def test_garbage(
    db: Database,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    path: str,
    stream: bool,
    number: int,
) -> None:
    async def once(writer: asyncio.StreamWriter) -> AsyncIterator[bytes]:
        yield WHOLE[number]

    async with behind(db, tmp_path, once) as door:
        await check(door, stream, caplog, path)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("number", range(len(ENDLESS)))
@pytest.mark.parametrize("has_begun", [True, False])
async def test_what_never_ends(
    db: Database,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    stream: bool,
    number: int,
    has_begun: bool,
) -> None:
    head, _, rest = ENDLESS[number].partition(b"\r\n\r\n")

    async def endless(writer: asyncio.StreamWriter) -> AsyncIterator[bytes]:
        yield head + b"\r\n\r\n" + (TOKEN if has_begun else b"")
        while True:
            yield rest

    async with behind(db, tmp_path, endless) as door:
        text = await check(door, stream, caplog, "/v1/chat/completions")
        assert "error" in text


async def test_a_client_that_does_not_read_keeps_no_place(db: Database, tmp_path: Path) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> AsyncIterator[bytes]:
        nonlocal sent
        yield SSE
        while True:
            sent += 1
            yield TOKEN * 1000

    async with behind(db, tmp_path, endless) as door:
        place = urlsplit(door.url)
        _, writer = await asyncio.open_connection(place.hostname, place.port, limit=1000)
        body = b'{"model":"bad","stream":true,"messages":[{"role":"user","content":"x"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {door.key}\r\n"
        writer.write(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)

        async def is_asked() -> bool:
            return sent > 0

        await until(is_asked)
        async with door.house.router.slots.place("bad", 1, 5.0, 1):
            assert sent < 1000  # 80 MB; buffers hold some of them
        writer.close()

        async def outcomes() -> list[str]:
            return [call["outcome"] for call in await door.calls()]

        assert await until(outcomes) == ["cancelled"], "which is no fault of the provider's"
