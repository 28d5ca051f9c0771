"""Twisted bodies at every door: each is answered in its dialect, and none is a bug."""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import Any

import orjson
import pytest

from tests.gateway.bodies import TEXTS, Bodies
from tests.gateway.llm.open_house import Open, is_error

A_DOOR = 150
TALK = [{"role": "user", "content": [{"type": "text", "text": "ping"}]}]
CALLED = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
LONG: list[dict[str, Any]] = [
    {"role": "system", "content": "s"},
    *TALK,
    {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
]
GOOD: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "groq-fast",
        "messages": LONG,
        "tools": [{"type": "function", "function": FUNCTION}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 20,
    },
    "/v1/responses": {
        "model": "groq-fast",
        "instructions": "s",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "ping"}]}],
        "tools": [{"type": "function", **FUNCTION}],
    },
    "/v1/messages": {
        "model": "claude-opus",
        "max_tokens": 20,
        "system": [{"type": "text", "text": "s"}],
        "messages": TALK,
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
    },
    "/v1/messages/count_tokens": {"model": "groq-fast", "messages": TALK, "system": "s"},
    "/v1/completions": {"model": "main", "prompt": "ping", "suffix": "x", "stop": ["a"]},
    "/v1/embeddings": {"model": "embed", "input": ["раз", "два"], "encoding_format": "base64"},
    "/api/chat": {"model": "main", "messages": TALK, "options": {"temperature": 0}, "format": {}},
    "/api/generate": {"model": "groq-fast", "prompt": "ping", "stream": False, "images": []},
    "/api/embed": {"model": "embed", "input": ["раз"]},
}


@pytest.mark.parametrize("path", list(GOOD))
async def test_every_twisted_body_is_answered(
    door: Open, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    bodies, seen = Bodies(seed=4), set[int]()
    for _ in range(A_DOOR):
        raw = bodies.twisted(GOOD[path])
        answer = await door.ask(path, raw)
        seen.add(answer.status_code)
        assert answer.status_code in {200, 400, 403, 404, 429, 502, 503}, (answer.text, raw[:900])
        assert answer.status_code == 200 or is_error(path, answer.json()), (answer.text, raw[:900])
    assert {400} <= seen
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


@pytest.mark.parametrize("path", list(GOOD))
async def test_who_may_not_is_told_in_the_dialect(door: Open, path: str) -> None:
    body = GOOD[path]
    only = await door.new_key("only", "code")
    asked = {
        401: await door.ask(path, body, key=""),
        403: await door.ask(path, body, key=only),
        404: await door.ask(path, body | {"model": "groq-fst"}),
        400: await door.ask(path, b'{"model": '),
    }
    assert {status: answer.status_code for status, answer in asked.items()} == {
        status: status for status in asked
    }
    assert all(is_error(path, answer.json()) for answer in asked.values())
    assert "groq-fast" in asked[404].text
    assert (await door.http.post(f"{door.url}{path}?key={door.key}", json=body)).status_code == 401


@pytest.mark.parametrize("path", list(GOOD))
async def test_a_body_above_the_limit_is_refused_unread(door: Open, path: str) -> None:
    host, port = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {door.key}\r\n"
    writer.write(f"{head}content-length: 33000000\r\n\r\n{{".encode())
    answer = await reader.read()
    writer.close()
    status, _, body = answer.partition(b"\r\n\r\n")
    assert b" 413 " in status.split(b"\r\n", 1)[0]
    assert is_error(path, orjson.loads(body))


async def test_a_wrong_key_is_never_in_a_log(door: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "potok-" + "".join(Random(1).choices("abcdef", k=43))
    for text in TEXTS[:6]:
        body = {"model": "main", "messages": [{"role": "user", "content": f"{text} тайна"}]}
        await door.ask("/v1/chat/completions", body, key=secret)
        await door.ask("/v1/chat/completions", body)
    of_ours = [line.getMessage() for line in caplog.records if line.name.startswith("lib")]
    assert not any(word in line for line in of_ours for word in (secret, door.key, "тайна"))
