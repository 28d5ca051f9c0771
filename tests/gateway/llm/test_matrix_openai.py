"""OpenAI's SDK at /v1/chat/completions, with each provider behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import CHAT, MODELS, THINKERS, covers
from tests.gateway.llm.open_house import Open

FORMAT = {"type": "json_schema", "json_schema": {"name": "trip", "schema": v.SCHEMA}}


@pytest.fixture
async def client(door: Open) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(
        base_url=f"{door.url}/v1", api_key=door.key, max_retries=0
    ) as client:
        yield client.chat.completions


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def told(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


def text_of(chunks: list[Any]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def finish_of(chunks: list[Any]) -> list[str]:
    return [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]


@covers(CHAT, "text")
async def test_text(client: Any, provider: str) -> None:
    answer = await client.create(model=MODELS[provider], messages=[user("привет")])
    [choice] = answer.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert "Вы написали: привет" in choice.message.content
    assert answer.object == "chat.completion"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@covers(CHAT, "stream")
async def test_a_stream_is_whole(client: Any, provider: str) -> None:
    chunks = await told(
        await client.create(model=MODELS[provider], messages=[user(v.REPEAT)], stream=True)
    )
    assert v.is_whole(text_of(chunks))
    assert finish_of(chunks) == ["stop"]
    assert sum(bool(c.choices and c.choices[0].delta.content) for c in chunks) >= 5


@covers(CHAT, "usage")
async def test_a_stream_counts_for_those_who_ask(client: Any, provider: str) -> None:
    asked = {"model": MODELS[provider], "messages": [user(v.REPEAT)], "stream": True}
    *chunks, last = await told(await client.create(**asked, stream_options={"include_usage": True}))
    assert last.choices == []
    assert last.usage.prompt_tokens > 0
    assert last.usage.completion_tokens > 50
    assert all(chunk.usage is None for chunk in chunks)
    assert all(c.choices and c.usage is None for c in await told(await client.create(**asked)))


@covers(CHAT, "tools")
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_the_turn_after(client: Any, provider: str, stream: bool) -> None:
    shared = {"model": MODELS[provider], "tools": [v.FUNCTION], "stream": stream}
    asked = await client.create(messages=[user(v.TOOL_WISH)], **shared)
    assert stream or asked.choices[0].finish_reason == "tool_calls"
    said = v.said_in(await told(asked)) if stream else v.dumped(asked.choices[0].message)
    calls = said["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["forecast", "forecast"]
    assert len({call["id"] for call in calls}) == 2
    assert all(v.is_by_schema(call["function"]["arguments"]) for call in calls)
    results = [{"role": "tool", "tool_call_id": c["id"], "content": v.RESULT} for c in calls]
    after = await client.create(messages=[user(v.TOOL_WISH), said, *results], **shared)
    text = text_of(await told(after)) if stream else after.choices[0].message.content
    assert text == f"Инструмент ответил: {v.RESULT}\n{v.RESULT}"


@covers(CHAT, "JSON")
async def test_json_by_a_schema(client: Any, provider: str) -> None:
    answer = await client.create(
        model=MODELS[provider], messages=[user("Тула на 3 дня")], response_format=FORMAT
    )
    assert v.is_by_schema(answer.choices[0].message.content)


@covers(CHAT, "images")
async def test_a_picture_is_seen(client: Any, provider: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{v.PNG}"}}
    content = [{"type": "text", "text": "что тут?"}, picture]
    answer = await client.create(model=MODELS[provider], messages=[user(content)])
    assert "что тут? [1 image(s)]" in answer.choices[0].message.content


@covers(CHAT, "thoughts")
async def test_thoughts_stand_beside_the_text(client: Any, provider: str) -> None:
    effort = {"reasoning_effort": "low"} if provider == "anthropic" else {}
    asked = {"model": THINKERS[provider], "messages": [user("привет")]} | effort
    message = (await client.create(**asked)).choices[0].message
    chunks = await told(await client.create(**asked, stream=True))
    deltas = [c.choices[0].delta for c in chunks if c.choices]
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert message.reasoning_content == thought != ""
    assert message.content == text_of(chunks) == "Вы написали: привет"


@covers(CHAT, "system")
async def test_the_system_prompt_arrives(door: Open, client: Any, provider: str) -> None:
    for role in ("system", "developer"):
        said = [{"role": role, "content": v.SYSTEM}, user("привет")]
        await client.create(model=MODELS[provider], messages=said)
        assert v.system_in(provider, await v.got(door, provider)) == v.SYSTEM


@covers(CHAT, "length")
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_that_is_cut_says_so(client: Any, provider: str, field: str) -> None:
    asked = {"model": MODELS[provider], "messages": [user(v.REPEAT)], field: 3}
    assert (await client.create(**asked)).choices[0].finish_reason == "length"
    assert finish_of(await told(await client.create(**asked, stream=True))) == ["length"]


@covers(CHAT, "stop")
@pytest.mark.parametrize("stop", [v.STOP, [v.STOP, "END"]])
async def test_stops_arrive(door: Open, client: Any, provider: str, stop: str | list[str]) -> None:
    await client.create(model=MODELS[provider], messages=[user("привет")], stop=stop)
    expected = [stop] if isinstance(stop, str) else stop
    assert v.stops_in(provider, await v.got(door, provider)) == expected
