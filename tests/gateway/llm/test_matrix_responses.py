"""OpenAI's SDK at /v1/responses, with each provider behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import MODELS, RESPONSES, THINKERS, covers
from tests.gateway.llm.open_house import Open

TOOL = {"type": "function", "strict": False} | v.FUNCTION["function"]
FORMAT = {"format": {"type": "json_schema", "name": "trip", "schema": v.SCHEMA, "strict": True}}


@pytest.fixture
async def client(door: Open) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(
        base_url=f"{door.url}/v1", api_key=door.key, max_retries=0
    ) as client:
        yield client.responses


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


async def response_of(client: Any, stream: bool, **asked: Any) -> Any:
    """The response, by the one way or the other."""
    if not stream:
        return await client.create(**asked)
    events = [event async for event in await client.create(**asked, stream=True)]
    assert events[0].type == "response.created"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return events[-1].response


@covers(RESPONSES, "text", "usage")
@pytest.mark.parametrize("stream", [False, True])
async def test_text_and_usage(client: Any, provider: str, stream: bool) -> None:
    found = await response_of(client, stream, model=MODELS[provider], input="привет")
    assert (found.status, found.output_text) == ("completed", "Вы написали: привет")
    assert found.usage.input_tokens > 0
    assert found.usage.output_tokens > 0


@covers(RESPONSES, "stream")
async def test_a_stream_is_whole(client: Any, provider: str) -> None:
    stream = await client.create(model=MODELS[provider], input=[user(v.REPEAT)], stream=True)
    events = [event async for event in stream]
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert v.is_whole("".join(pieces))
    assert len(pieces) >= 5
    assert events[-1].type == "response.completed"
    assert v.is_whole(events[-1].response.output_text)


@covers(RESPONSES, "tools")
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_the_turn_after(client: Any, provider: str, stream: bool) -> None:
    shared = {"model": MODELS[provider], "tools": [TOOL], "store": False}
    asked = [user(v.TOOL_WISH)]
    found = await response_of(client, stream, input=asked, **shared)
    calls = [item for item in found.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["forecast", "forecast"]
    assert all(v.is_by_schema(call.arguments) for call in calls)
    said = [item.model_dump(exclude_none=True) for item in found.output]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": v.RESULT}
        for call in calls
    ]
    after = await response_of(client, stream, input=[*asked, *said, *results], **shared)
    assert f"Инструмент ответил: {v.RESULT}\n{v.RESULT}" in after.output_text


@covers(RESPONSES, "JSON")
async def test_json_by_a_schema(client: Any, provider: str) -> None:
    found = await client.create(model=MODELS[provider], input="Тула на 3 дня", text=FORMAT)
    assert v.is_by_schema(found.output_text)


@covers(RESPONSES, "images")
async def test_a_picture_is_seen(client: Any, provider: str) -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{v.PNG}"}
    content = [{"type": "input_text", "text": "что тут?"}, picture]
    found = await client.create(model=MODELS[provider], input=[user(content)])
    assert "что тут? [1 image(s)]" in found.output_text


@covers(RESPONSES, "thoughts")
@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_are_an_item(client: Any, provider: str, stream: bool) -> None:
    asked = {"model": THINKERS[provider], "input": "привет", "reasoning": {"effort": "low"}}
    found = await response_of(client, stream, **asked)
    assert [item.type for item in found.output] == ["reasoning", "message"]
    assert found.output[0].summary[0].text
    assert found.output_text == "Вы написали: привет"


@covers(RESPONSES, "system")
async def test_the_instructions_arrive(door: Open, client: Any, provider: str) -> None:
    await client.create(model=MODELS[provider], input="привет", instructions=v.SYSTEM)
    assert v.system_in(provider, await v.got(door, provider)) == v.SYSTEM


@covers(RESPONSES, "length")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_cut_says_so(client: Any, provider: str, stream: bool) -> None:
    asked = {"model": MODELS[provider], "input": v.REPEAT, "max_output_tokens": 3}
    found = await response_of(client, stream, **asked)
    assert (found.status, found.incomplete_details.reason) == ("incomplete", "max_output_tokens")
