"""Anthropic's clients and Anthropic: what is asked and answered goes on byte for byte."""

from __future__ import annotations

import json
import re

import anthropic
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.open_house import Open

# Odd spaces, an order of its own, escapes, a field that nobody here knows.
ODD = (
    '{ "max_tokens":300 ,\n "messages" : [{"content":"caf\\u00e9 repeat 5 \\"x\\"",'
    ' "role":"user"}],"model" :  "%s", "cache_control": {"type":"ephemeral"}%s}'
)
VERSION = "2023-06-01"
_NUMBER = re.compile(rb"msg_sandbox_\d+")


@pytest.mark.parametrize("stream", [False, True])
async def test_bytes_go_on_and_come_back_as_they_are(door: Open, stream: bool) -> None:
    more = ', "stream": true' if stream else ""
    asked = (ODD % ("claude-opus", more)).encode()
    sent = (ODD % ("claude-opus-4-6", more)).encode()
    answer = await door.ask("/v1/messages", asked, anthropic_version=VERSION)
    assert answer.status_code == 200, answer.text
    assert (await v.entry(door, "anthropic"))["body"].encode() == sent
    straight = await door.http.post(
        f"{door.sandbox}/anthropic/v1/messages",
        content=sent,
        headers={"x-api-key": "sandbox", "anthropic-version": VERSION},
    )
    assert _NUMBER.sub(b"", answer.content) == _NUMBER.sub(b"", straight.content)
    assert answer.headers["content-type"] == straight.headers["content-type"].split(";")[0]


async def test_headers_and_the_query_arrive(door: Open) -> None:
    async with anthropic.AsyncAnthropic(base_url=door.url, api_key=door.key) as client:
        await client.beta.messages.create(
            model="claude-opus",
            max_tokens=300,
            messages=[{"role": "user", "content": "привет"}],
            betas=["context-1m-2025-08-07", "interleaved-thinking-2025-05-14"],
            extra_query={"beta": "true"},  # as Claude Code asks; this SDK no longer does
            extra_headers={"anthropic-version": "2026-10-21"},
        )
    asked = await v.entry(door, "anthropic")
    assert asked["query"] == "beta=true"
    assert asked["headers"]["anthropic-version"] == "2026-10-21"
    betas = "context-1m-2025-08-07,interleaved-thinking-2025-05-14"
    assert asked["headers"]["anthropic-beta"] == betas
    assert door.key not in json.dumps(asked)


async def test_counting_goes_on_as_it_is(door: Open) -> None:
    asked = b'{"messages":[ {"role":"user","content":"hi"}],"model": "claude-opus"}'
    answer = await door.ask(
        "/v1/messages/count_tokens?beta=true", asked, anthropic_beta="token-counting-2024-11-01"
    )
    assert answer.json()["input_tokens"] > 0
    entry = await v.entry(door, "anthropic")
    assert (entry["path"], entry["query"]) == ("/v1/messages/count_tokens", "beta=true")
    assert entry["body"].encode() == asked.replace(b"claude-opus", b"claude-opus-4-6")
    assert entry["headers"]["anthropic-beta"] == "token-counting-2024-11-01"
