"""The stand-in for Ollama, as Ollama's own SDK sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import ollama
import pytest
from ollama import AsyncClient

from tests.sandbox.model_box import ASKED, FUNCTION, PNG, SCHEMA, ModelBox, box_of, says
from tests.sandbox.telegram_box import Sandbox, until

MODEL = "llama3.1:8b"
THINKER = "deepseek-r1:8b"
CODER = "qwen2.5-coder:1.5b"


@pytest.fixture
async def box(served: Sandbox) -> AsyncIterator[ModelBox]:
    async with box_of(served.http, "ollama") as box:
        yield box


@pytest.fixture
async def client(box: ModelBox) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(box.url, timeout=10, trust_env=False) as client:
        yield client


async def ask(client: AsyncClient, text: str = "привет", model: str = MODEL, **more: Any) -> Any:
    return await client.chat(model, says(text), **more)


async def test_an_answer_and_its_stream_are_the_same(client: AsyncClient) -> None:
    whole = await ask(client, model=THINKER)
    assert whole.message.content == "Вы написали: привет"
    assert whole.message.thinking
    assert (whole.done, whole.done_reason) == (True, "stop")
    parts = [part async for part in await ask(client, model=THINKER, stream=True)]
    assert "".join(part.message.content for part in parts) == whole.message.content
    assert "".join(part.message.thinking or "" for part in parts) == whole.message.thinking
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == whole.eval_count > 0
    assert sum(bool(part.message.content) for part in parts) >= 5


async def test_who_can_think_does_and_who_cannot_refuses(client: AsyncClient) -> None:
    assert (await ask(client, model="qwen3:30b")).message.thinking
    assert (await ask(client, model="qwen3:30b", think=False)).message.thinking is None
    assert (await ask(client, think=False)).message.content
    with pytest.raises(ollama.ResponseError, match="does not support thinking"):
        await ask(client, think=True)


async def test_tools_are_called_whole_and_their_answers_quoted(client: AsyncClient) -> None:
    parts = [p async for p in await ask(client, "two tools", tools=[FUNCTION], stream=True)]
    [calls] = [part.message.tool_calls for part in parts if part.message.tool_calls]
    assert [call.function.name for call in calls] == ["forecast"] * 2
    # The SDK sends no ``minimum``.
    assert calls[0].function.arguments == {"city": "two tools", "days": 0}
    whole = await ask(client, ASKED, tools=[FUNCTION])
    turns = [*says(ASKED), whole.message, {"role": "tool", "content": "дождь"}]
    final = await client.chat(MODEL, turns, tools=[FUNCTION])
    assert final.message.content == "Инструмент ответил: дождь"


async def test_pictures_json_and_limits(client: AsyncClient) -> None:
    seen = await client.chat(MODEL, [says("что тут?")[0] | {"images": [PNG]}])
    assert seen.message.content == "Вы написали: что тут? [1 image(s)]"
    read = await ask(client, format=SCHEMA)
    assert json.loads(read.message.content) == {"city": "", "days": 1}
    short = await ask(client, "repeat 500", options={"num_predict": 3})
    assert (short.done_reason, short.eval_count) == ("length", 3)
    full = await ask(client, "x" * 40_000, options={"num_ctx": 2048})
    assert full.prompt_eval_count == 2048


async def test_a_prompt_says_how_it_came(client: AsyncClient) -> None:
    prompt = "<|fim_prefix|>def add(a, b):<|fim_suffix|>"
    raw = await client.generate(CODER, prompt, raw=True)
    assert raw.response == f"raw:{prompt[:40]}"
    parts = [p async for p in await client.generate(CODER, "def", suffix="return", stream=True)]
    assert "".join(part.response for part in parts) == "suffix:return"
    assert parts[-1].done_reason == "stop"
    plain = await client.generate(CODER, "привет")
    assert plain.response == "Вы написали: привет"
    with pytest.raises(ollama.ResponseError, match="does not support insert"):
        await client.generate(MODEL, "def", suffix="return")
    with pytest.raises(ollama.ResponseError, match="raw mode does not support"):
        await client.generate(CODER, "def", system="x", raw=True)


async def test_embeddings(client: AsyncClient) -> None:
    found = await client.embed("nomic-embed-text", ["раз", "два"])
    assert [len(vector) for vector in found.embeddings] == [768, 768]
    assert (await client.embed("nomic-embed-text", "два")).embeddings == found.embeddings[1:]
    with pytest.raises(ollama.ResponseError, match="does not support embeddings"):
        await client.embed(MODEL, "раз")
    with pytest.raises(ollama.ResponseError, match="does not support chat"):
        await ask(client, model="nomic-embed-text")


async def test_models_are_those_of_the_map(client: AsyncClient, box: ModelBox) -> None:
    names = [model.model for model in (await client.list()).models]
    assert names[:3] == ["qwen3:30b", "qwen3-coder:30b", "deepseek-r1:8b"]
    assert names[3:] == [MODEL, CODER, "nomic-embed-text:latest"]
    shown = await client.show("qwen3:30b")
    assert shown.capabilities == ["completion", "tools", "thinking"]
    with pytest.raises(ollama.ResponseError, match="model 'x' not found") as missing:
        await ask(client, model="x")
    assert missing.value.status_code == 404
    assert (await box.http.get(f"{box.url}/")).text == "Ollama is running"
    assert (await box.http.get(f"{box.url}/api/version")).json()["version"]


async def test_another_context_loads_the_model_anew(client: AsyncClient, box: ModelBox) -> None:
    await client.chat(MODEL, [], options={"num_ctx": 8192}, keep_alive="30m")
    await ask(client, options={"num_ctx": 8192})
    await ask(client, model=THINKER)
    assert (await box.state())["counts"]["reload"] == 0
    await ask(client)
    state = await box.state()
    assert (state["counts"]["reload"], state["loaded"]) == (1, {MODEL: 4096, THINKER: 4096})
    running = {model.model: model for model in (await client.ps()).models}
    assert running[MODEL].context_length == 4096
    unloaded = await client.generate(MODEL, "", keep_alive=0)
    assert unloaded.done_reason == "unload"
    assert list((await box.state())["loaded"]) == [THINKER]


async def test_one_at_a_time_while_others_wait(client: AsyncClient, box: ModelBox) -> None:
    await box.fail("hang")
    first = asyncio.create_task(ask(client))

    async def is_held() -> bool:
        return (await box.state())["at_once"] == 1

    await until(is_held)
    others = [asyncio.create_task(ask(client)) for _ in range(3)]

    async def all_wait() -> bool:
        return (await box.state())["at_once"] == 4

    await until(all_wait)
    others.pop().cancel()
    assert not any(task.done() for task in others)
    first.cancel()
    for answer in await asyncio.gather(*others):
        assert answer.message.content
    state = await box.state()
    assert state["max_at_once"] == 4
    assert (state["counts"]["cancelled"], state["counts"]["answered"]) == (2, 2)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "user", "content": "x", "images": ["http://example.org/a.png"]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]},
    ],
)
async def test_what_is_of_openai_is_refused(box: ModelBox, message: dict[str, Any]) -> None:
    body = {"model": MODEL, "messages": [message]}
    answer = await box.http.post(f"{box.url}/api/chat", json=body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


async def test_failures_are_the_errors_of_the_sdk(client: AsyncClient, box: ModelBox) -> None:
    await box.fail("status", status=503)
    with pytest.raises(ollama.ResponseError) as busy:
        await ask(client)
    assert busy.value.status_code == 503
    await box.fail("error_midstream")
    stream = await ask(client, stream=True)
    with pytest.raises(ollama.ResponseError, match="an error was encountered"):
        [part async for part in stream]
    await box.fail("not_found")
    with pytest.raises(ollama.ResponseError, match=f"model '{MODEL}' not found"):
        await ask(client)
    await box.fail("empty")
    assert (await ask(client)).message.content == ""
