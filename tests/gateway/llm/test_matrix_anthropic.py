"""Anthropic's SDK at /v1/messages, with each provider behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import COUNT, MESSAGES, MODELS, THINKERS, covers
from tests.gateway.llm.open_house import Open

TOOL = {"name": "forecast", "description": "Прогноз", "input_schema": v.SCHEMA}
FORMAT = {"format": {"type": "json_schema", "schema": v.SCHEMA}}


@pytest.fixture
async def client(door: Open) -> AsyncIterator[Any]:
    async with anthropic.AsyncAnthropic(
        base_url=door.url, api_key=door.key, max_retries=0
    ) as client:
        yield client.messages


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


async def message_of(client: Any, stream: bool, **asked: Any) -> Any:
    """The message, by the one way or the other."""
    asked = {"max_tokens": 4000} | asked
    if not stream:
        return await client.create(**asked)
    async with client.stream(**asked) as stream:
        return await stream.get_final_message()


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@covers(MESSAGES, "text", "usage")
@pytest.mark.parametrize("stream", [False, True])
async def test_text_and_usage(client: Any, provider: str, stream: bool) -> None:
    asked = {"model": MODELS[provider], "messages": [user("привет")]}
    found = await message_of(client, stream, **asked)
    assert (found.type, found.role, found.stop_reason) == ("message", "assistant", "end_turn")
    assert text_of(found) == "Вы написали: привет"
    assert found.usage.input_tokens > 0
    assert found.usage.output_tokens > 1


@covers(MESSAGES, "stream")
async def test_a_stream_is_whole(client: Any, provider: str) -> None:
    asked = {"model": MODELS[provider], "messages": [user(v.REPEAT)], "max_tokens": 4000}
    async with client.stream(**asked) as stream:
        pieces = [piece async for piece in stream.text_stream]
        found = await stream.get_final_message()
    assert v.is_whole("".join(pieces))
    assert len(pieces) >= 5
    assert v.is_whole(text_of(found))


@covers(MESSAGES, "tools")
@pytest.mark.parametrize("thinks", [False, True])
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_the_turn_after(
    client: Any, provider: str, stream: bool, thinks: bool
) -> None:
    shared = {"model": MODELS[provider], "tools": [TOOL]}
    shared |= {"thinking": {"type": "adaptive"}} if thinks else {}
    found = await message_of(client, stream, messages=[user(v.TOOL_WISH)], **shared)
    assert found.stop_reason == "tool_use"
    calls = [block for block in found.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["forecast", "forecast"]
    assert len({call.id for call in calls}) == 2
    assert all(set(call.input) == {"city", "days"} for call in calls)
    assert thinks <= (found.content[0].type == "thinking")
    said = {
        "role": "assistant",
        "content": [b.model_dump(exclude_none=True) for b in found.content],
    }
    results = [{"type": "tool_result", "tool_use_id": c.id, "content": v.RESULT} for c in calls]
    after = await message_of(
        client, stream, messages=[user(v.TOOL_WISH), said, user(results)], **shared
    )
    assert after.stop_reason == "end_turn"
    assert text_of(after) == f"Инструмент ответил: {v.RESULT}\n{v.RESULT}"


@covers(MESSAGES, "JSON")
async def test_json_by_a_schema(client: Any, provider: str) -> None:
    asked = {"model": MODELS[provider], "messages": [user("Тула на 3 дня")]}
    found = await message_of(client, False, output_config=FORMAT, **asked)
    assert v.is_by_schema(text_of(found))


@covers(MESSAGES, "images")
async def test_a_picture_is_seen(client: Any, provider: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": v.PNG}
    content = [{"type": "text", "text": "что тут?"}, {"type": "image", "source": source}]
    found = await message_of(client, False, model=MODELS[provider], messages=[user(content)])
    assert text_of(found) == "Вы написали: что тут? [1 image(s)]"


@covers(MESSAGES, "thoughts")
@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_are_a_block(client: Any, provider: str, stream: bool) -> None:
    asked = {"model": THINKERS[provider], "messages": [user("привет")]}
    found = await message_of(client, stream, thinking={"type": "adaptive"}, **asked)
    assert [block.type for block in found.content] == ["thinking", "text"]
    assert found.content[0].thinking
    assert found.content[0].signature is not None
    assert text_of(found) == "Вы написали: привет"


@covers(MESSAGES, "system")
@pytest.mark.parametrize("system", [v.SYSTEM, [{"type": "text", "text": v.SYSTEM}]])
async def test_the_system_prompt_arrives(
    door: Open, client: Any, provider: str, system: Any
) -> None:
    asked = {"model": MODELS[provider], "messages": [user("привет")]}
    await message_of(client, False, system=system, **asked)
    assert v.system_in(provider, await v.got(door, provider)) == v.SYSTEM


@covers(MESSAGES, "length", "stop")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_bounded(door: Open, client: Any, provider: str, stream: bool) -> None:
    asked = {"model": MODELS[provider], "messages": [user(v.REPEAT)], "max_tokens": 3}
    found = await message_of(client, stream, stop_sequences=[v.STOP], **asked)
    assert found.stop_reason == "max_tokens"
    assert v.stops_in(provider, await v.got(door, provider)) == [v.STOP]


@covers(COUNT, "count")
async def test_tokens_are_counted(client: Any, provider: str) -> None:
    asked = {"model": MODELS[provider], "system": v.SYSTEM, "tools": [TOOL]}
    alone = await client.count_tokens(model=MODELS[provider], messages=[user("привет")])
    more = await client.count_tokens(**asked, messages=[user("привет")])
    assert more.input_tokens > alone.input_tokens > 0
