"""Hostile clients: every one is answered in its own dialect, and none with a 5xx of ours."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import suppress
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.gateway.llm.open_house import Open, is_error, until

PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/api/show",
)
PING = [{"role": "user", "content": "ping"}]
CHAT = {"model": "main", "messages": PING, "max_tokens": 9}
KEYS, INNER = (
    words.split()
    for words in (
        "messages stream input prompt suffix system tools tool_choice max_tokens temperature "
        "stop n options think format keep_alive dimensions encoding_format response_format "
        "metadata instructions reasoning reasoning_effort thinking stream_options raw images "
        "template user",
        "role content type text name function arguments tool_calls tool_call_id tool_use_id "
        "input id source image_url url data media_type parameters input_schema json_schema "
        "schema budget_tokens effort num_ctx temperature call_id output cache_control thinking "
        "signature",
    )
)
WORDS = ("", "user", "assistant", "tool", "system", "text", "function", "tool_use", "tool_result")
WORDS += ("image", "image_url", "json", "base64", "data:x", "\0", "\ud800", "я", "function_call")
LEAVES = (*WORDS, None, True, False, 0, 1, -1, 1e308, 2**63, 2**200, -0.0, float("nan"))
LEAVES += ("@deep100", "@deep300", "@deep900", "@deep2000")
DEEP = re.compile(r'"@deep(\d+)"')
MODELS = ("main", "chimera", "claude-opus", "groq-fast", "embed", "groq/x\r\ny: z", "groq/", "mian")
MODELS += ("@deep900", "ollama/" + "я" * 300, "m" * 100_000)
A_DOOR = 300


def value(random: Random, depth: int = 0) -> Any:
    """Anything, with the names that a body may have."""
    kind = random.random() + depth / 10
    if kind < 0.3:
        return [value(random, depth + 1) for _ in range(random.randint(0, 3))]
    if kind < 0.7:
        return {key: value(random, depth + 1) for key in random.sample(INNER, random.randint(0, 6))}
    return random.choice(LEAVES)


def body_of(random: Random) -> dict[str, Any]:
    """A body with the right keys; some of it may make sense."""
    body = {key: value(random) for key in random.sample(KEYS, random.randint(0, 4))}
    for key in ("messages", "input", "prompt"):
        sense = [{"role": random.choice(WORDS[1:5]), "content": value(random)} | value_of(random)]
        body |= {key: random.choice([PING, "ping", sense, value(random)])}
    if random.random() < 0.7:
        body |= {"max_tokens": 9}
    return body | {"model": random.choice([*MODELS, value(random)])}


def value_of(random: Random) -> dict[str, Any]:
    """Some fields of a message."""
    return {key: value(random) for key in random.sample(INNER[2:], random.randint(0, 3))}


def written(body: Any) -> bytes:
    """JSON, also of what is none: NaN, lone surrogates as escapes, any depth."""
    return DEEP.sub(
        lambda found: '{"content":[' * int(found[1]) + "1" + "]}" * int(found[1]), json.dumps(body)
    ).encode()


@pytest.mark.parametrize("path", PATHS)
async def test_no_body_breaks_a_door(
    door: Open, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    random = Random(path)
    door.house.router.jitter = lambda: -0.5  # no pause between tries
    for _ in range(A_DOOR):
        raw = written(body_of(random))
        async with asyncio.timeout(20):
            answer = await door.ask(path, raw)
        assert answer.status_code < 500 or answer.status_code in (502, 503), raw[:2000]
        if answer.status_code >= 400:
            assert is_error(path, answer.json()), (raw[:2000], answer.text)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    await door.calls()


async def test_who_is_let_in(door: Open) -> None:
    some = await door.new_key("some", "main")
    for path in PATHS:
        body: dict[str, Any] = {"model": "main", "input": "ping"}
        if "responses" not in path:
            body |= {"messages": PING, "prompt": "ping"}
        for key, sent, status in (
            ("", body, 401),
            ("pk-no-such", body, 401),
            (None, b'{"model": "main"', 400),
            (None, b"[]", 400),
            (None, b"", 400),
            (some, body | {"model": "chimera"}, 403),
            (None, body | {"model": "mian"}, 404),
            (None, body | {"model": "groq/x\r\ny: z"}, 404),
        ):
            answer = await door.ask(path, sent, key=key)
            assert answer.status_code == status, (path, sent, answer.text)
            assert is_error(path, answer.json())
            assert sent != body | {"model": "mian"} or "is main meant?" in answer.text
        for way in ("get", "put", "delete"):
            assert (await getattr(door.http, way)(door.url + path)).status_code in (404, 405)
        there = f"{path}?key={door.key}&api_key={door.key}&access_token={door.key}"
        assert (await door.ask(there, body, key="")).status_code == 401
    deep = b'{"model":' + b"[" * 900 + b"]" * 900 + b"}"
    answers = [await door.ask(path, deep) for path in PATHS]
    assert {answer.status_code for answer in answers} == {400}


@pytest.mark.parametrize("host", ["[", "x:y:z", "a/b?c#d", ""])
async def test_a_strange_host_changes_nothing(door: Open, host: str) -> None:
    answer = await door.ask("/v1/messages?beta=true", CHAT, host=host)
    assert answer.status_code == 200


async def test_too_much_is_told(door: Open) -> None:
    many = {f"x-{number}": "y" for number in range(200)}
    assert (await door.ask("/v1/chat/completions", CHAT, **many)).status_code == 431
    lie = await spoken(door, b"content-length: 99999999999\r\n\r\n{")
    assert lie.startswith(b"HTTP/1.1 413")
    chunk = b"f4240\r\n" + b" " * 1_000_000 + b"\r\n"
    assert (await spoken(door, b"transfer-encoding: chunked\r\n\r\n" + chunk * 33)).startswith(
        b"HTTP/1.1 413"
    )


async def test_clients_that_hang_up_leave_nothing(door: Open) -> None:
    random = Random(3)
    names = ("main", "groq-fast", "claude-opus")

    async def leaving() -> None:
        body = {
            "model": random.choice(names),
            "messages": [{"role": "user", "content": "repeat 2000"}],
            "stream": random.random() < 0.7,
        }
        with suppress(TimeoutError):
            async with asyncio.timeout(random.random() * 0.5):
                await door.ask("/v1/chat/completions", body)

    await asyncio.gather(*(leaving() for _ in range(200)))

    async def is_quiet() -> bool:
        states = [await door.state(vendor) for vendor in ("ollama", "groq", "anthropic")]
        return all(state["at_once"] == 0 for state in states)

    await until(is_quiet)
    assert (await door.ask("/v1/chat/completions", CHAT)).status_code == 200


async def spoken(door: Open, rest: bytes) -> bytes:
    """What is answered first to a request by hand."""
    place = urlsplit(door.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {door.key}\r\n"
    writer.write(head.encode() + rest)
    async with asyncio.timeout(20):
        answer = await reader.read(100)
    writer.close()
    return answer
