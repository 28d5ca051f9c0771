"""Ollama's SDK at /api/chat, /api/generate and /api/embed, with each provider behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import ollama
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import (
    EMBED,
    FILLERS,
    GENERATE,
    MODELS,
    OLLAMA_CHAT,
    RAW,
    THINKERS,
    VECTORS,
    covers,
    refuses,
)
from tests.gateway.llm.open_house import Open


@pytest.fixture
async def client(door: Open) -> AsyncIterator[ollama.AsyncClient]:
    headers = {"Authorization": f"Bearer {door.key}"}
    async with ollama.AsyncClient(door.url, headers=headers, trust_env=False) as client:
        yield client


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


async def told(stream: Any) -> list[Any]:
    return [part async for part in stream]


async def message_of(client: Any, stream: bool, **asked: Any) -> dict[str, Any]:
    """The message, by the one way or the other."""
    if not stream:
        whole: dict[str, Any] = (await client.chat(**asked)).message.model_dump(exclude_none=True)
        return whole
    parts = await told(await client.chat(**asked, stream=True))
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    found: dict[str, Any] = {"role": "assistant", "content": ""}
    for message in (part.message.model_dump(exclude_none=True) for part in parts):
        for key in ("content", "thinking"):
            if message.get(key):
                found[key] = found.get(key, "") + message[key]
        if calls := message.get("tool_calls"):
            found["tool_calls"] = found.get("tool_calls", []) + list(calls)
    return found


@covers(OLLAMA_CHAT, "text")
async def test_text(client: Any, provider: str) -> None:
    found = await client.chat(MODELS[provider], [user("привет")])
    assert (found.message.role, found.message.content) == ("assistant", "Вы написали: привет")
    assert (found.done, found.done_reason) == (True, "stop")
    assert found.prompt_eval_count > 0
    assert found.eval_count > 0


@covers(OLLAMA_CHAT, "stream", "usage")
async def test_a_stream_is_whole(client: Any, provider: str) -> None:
    parts = await told(await client.chat(MODELS[provider], [user(v.REPEAT)], stream=True))
    assert v.is_whole("".join(part.message.content for part in parts))
    assert sum(bool(part.message.content) for part in parts) >= 5
    assert (parts[-1].done, parts[-1].done_reason) == (True, "stop")
    assert parts[-1].eval_count > 50


@covers(OLLAMA_CHAT, "tools")
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_the_turn_after(client: Any, provider: str, stream: bool) -> None:
    shared = {"model": MODELS[provider], "tools": [v.FUNCTION]}
    said = await message_of(client, stream, messages=[user(v.TOOL_WISH)], **shared)
    calls = [call["function"] for call in said["tool_calls"]]
    assert [call["name"] for call in calls] == ["forecast", "forecast"]
    assert all(set(call["arguments"]) == {"city", "days"} for call in calls)
    results = [{"role": "tool", "tool_name": c["name"], "content": v.RESULT} for c in calls]
    after = await message_of(client, stream, messages=[user(v.TOOL_WISH), said, *results], **shared)
    assert after["content"] == f"Инструмент ответил: {v.RESULT}\n{v.RESULT}"


@covers(OLLAMA_CHAT, "JSON")
async def test_json_by_a_schema(client: Any, provider: str) -> None:
    found = await client.chat(MODELS[provider], [user("Тула на 3 дня")], format=v.SCHEMA)
    assert v.is_by_schema(found.message.content)


@covers(OLLAMA_CHAT, "images")
async def test_a_picture_is_seen(client: Any, provider: str) -> None:
    found = await client.chat(MODELS[provider], [user("что тут?", images=[v.PNG])])
    assert found.message.content == "Вы написали: что тут? [1 image(s)]"


@covers(OLLAMA_CHAT, "thoughts")
@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_stand_beside_the_text(client: Any, provider: str, stream: bool) -> None:
    asked = {"model": THINKERS[provider], "messages": [user("привет")], "think": True}
    found = await message_of(client, stream, **asked)
    assert found["thinking"]
    assert found["content"] == "Вы написали: привет"


@covers(OLLAMA_CHAT, "system")
async def test_the_system_prompt_arrives(door: Open, client: Any, provider: str) -> None:
    said = [{"role": "system", "content": v.SYSTEM}, user("привет")]
    await client.chat(MODELS[provider], said)
    assert v.system_in(provider, await v.got(door, provider)) == v.SYSTEM


@covers(OLLAMA_CHAT, "length", "stop")
async def test_an_answer_is_bounded(door: Open, client: Any, provider: str) -> None:
    options = {"num_predict": 3, "stop": [v.STOP]}
    asked = {"model": MODELS[provider], "messages": [user(v.REPEAT)], "options": options}
    assert (await client.chat(**asked)).done_reason == "length"
    assert v.stops_in(provider, await v.got(door, provider)) == [v.STOP]
    assert (await told(await client.chat(**asked, stream=True)))[-1].done_reason == "length"


@covers(GENERATE, "text", "thoughts")
async def test_generated_text(client: Any, provider: str) -> None:
    found = await client.generate(THINKERS[provider], "привет", think=True)
    assert (found.response, found.done_reason) == ("Вы написали: привет", "stop")
    assert found.thinking
    assert found.prompt_eval_count > 0
    assert found.eval_count > 0


@covers(GENERATE, "stream", "usage")
async def test_a_generated_stream_is_whole(client: Any, provider: str) -> None:
    parts = await told(await client.generate(MODELS[provider], v.REPEAT, stream=True))
    assert v.is_whole("".join(part.response for part in parts))
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].prompt_eval_count > 0
    assert parts[-1].eval_count > 50


@covers(GENERATE, "JSON", "images")
async def test_generated_json_of_a_picture(client: Any, provider: str) -> None:
    found = await client.generate(MODELS[provider], "Тула на 3 дня", format=v.SCHEMA)
    assert v.is_by_schema(found.response)
    found = await client.generate(MODELS[provider], "что тут?", images=[v.PNG])
    assert found.response == "Вы написали: что тут? [1 image(s)]"


@covers(GENERATE, "system", "length", "stop")
async def test_generated_text_is_bounded(door: Open, client: Any, provider: str) -> None:
    options = {"num_predict": 3, "stop": [v.STOP]}
    found = await client.generate(MODELS[provider], v.REPEAT, system=v.SYSTEM, options=options)
    assert found.done_reason == "length"
    body = await v.got(door, provider)
    assert v.system_in(provider, body) == v.SYSTEM
    assert v.stops_in(provider, body) == [v.STOP]


@covers(RAW, "text", "stream", "suffix")
async def test_raw_prompts_and_suffixes(door: Open, client: Any, provider: str) -> None:
    model = FILLERS[provider]
    assert (await client.generate(model, v.FIM, raw=True)).response.startswith("raw:<|fim_")
    parts = await told(await client.generate(model, v.FIM, raw=True, stream=True))
    assert "".join(part.response for part in parts).startswith("raw:<|fim_")
    assert (await v.got(door, provider))["raw"] is True
    assert (await client.generate(model, "def f():", suffix="f()")).response == "suffix:f()"
    assert (await v.got(door, provider))["suffix"] == "f()"


@refuses(RAW)
@pytest.mark.parametrize("asked", [{"raw": True}, {"suffix": "f()"}])
async def test_no_chat_model_takes_them(client: Any, provider: str, asked: Any) -> None:
    with pytest.raises(ollama.ResponseError, match="this model chats only") as told:
        await client.generate(FILLERS[provider], "def f():", **asked)
    assert told.value.status_code == 400


@covers(EMBED, "floats")
async def test_vectors(client: Any, provider: str) -> None:
    found = await client.embed(VECTORS[provider], ["лид", "заявка"])
    assert [len(vector) for vector in found.embeddings] == [768, 768]
    assert found.embeddings[0] != found.embeddings[1]
    assert (await client.embed(VECTORS[provider], "лид")).embeddings == found.embeddings[:1]
    assert found.prompt_eval_count > 0


@refuses(EMBED)
async def test_who_has_no_vectors_says_so(client: Any, provider: str) -> None:
    with pytest.raises(ollama.ResponseError, match="it gives no embeddings") as told:
        await client.embed(VECTORS[provider], "лид")
    assert told.value.status_code == 400


async def test_models_are_listed_and_shown(client: ollama.AsyncClient) -> None:
    listed = [model.model for model in (await client.list()).models]
    assert {"main", "groq-fast", "claude-opus", "embed"} <= set(listed)
    assert "completion" in ((await client.show("claude-opus")).capabilities or [])
    assert (await client.show("embed")).capabilities == ["embedding"]
    with pytest.raises(ollama.ResponseError, match="no model 'mian': is main meant") as told:
        await client.show("mian")
    assert told.value.status_code == 404
