"""Groq's SDK at /v1/chat/completions, with each provider behind it.

It adds ``/openai/v1/chat/completions`` to its base URL; ours ends in a query, where that is lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import groq
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import GROQ_CHAT, MODELS, THINKERS, covers
from tests.gateway.llm.open_house import Open


@pytest.fixture
async def client(door: Open) -> AsyncIterator[Any]:
    base_url = f"{door.url}/v1/chat/completions?of="
    async with groq.AsyncGroq(base_url=base_url, api_key=door.key, max_retries=0) as client:
        yield client.chat.completions


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@covers(GROQ_CHAT, "text")
async def test_text(client: Any, provider: str) -> None:
    answer = await client.create(model=MODELS[provider], messages=[user("привет")])
    assert answer.choices[0].message.content == "Вы написали: привет"
    assert answer.usage.completion_tokens > 0


@covers(GROQ_CHAT, "stream")
async def test_a_stream_is_whole(client: Any, provider: str) -> None:
    asked = {"model": MODELS[provider], "messages": [user(v.REPEAT)], "stream": True}
    chunks = [chunk async for chunk in await client.create(**asked)]
    assert v.is_whole("".join(c.choices[0].delta.content or "" for c in chunks if c.choices))


@covers(GROQ_CHAT, "tools")
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_the_turn_after(client: Any, provider: str, stream: bool) -> None:
    shared = {"model": MODELS[provider], "tools": [v.FUNCTION], "stream": stream}
    asked = await client.create(messages=[user(v.TOOL_WISH)], **shared)
    said = v.said_in([c async for c in asked]) if stream else v.dumped(asked.choices[0].message)
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": v.RESULT}
        for call in said["tool_calls"]
    ]
    assert len(results) == 2
    after = await client.create(messages=[user(v.TOOL_WISH), said, *results], **shared)
    told = v.said_in([c async for c in after]) if stream else v.dumped(after.choices[0].message)
    assert told["content"] == f"Инструмент ответил: {v.RESULT}\n{v.RESULT}"


@covers(GROQ_CHAT, "thoughts")
async def test_thoughts_stand_beside_the_text(client: Any, provider: str) -> None:
    asked = {"model": THINKERS[provider], "messages": [user("привет")], "reasoning_effort": "low"}
    message = (await client.create(**asked)).choices[0].message
    assert message.reasoning_content
    assert message.content == "Вы написали: привет"
