"""Habits of single tools, and what the table says over what a client asks."""

from __future__ import annotations

from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import MODELS
from tests.gateway.llm.open_house import Open

HOT = {"temperature": 0.7, "top_p": 0.9}
FIXED = {"provider": "anthropic", "model": "claude-opus-4-7", "temperature": False}


@pytest.mark.parametrize("provider", list(MODELS))
@pytest.mark.parametrize("stream", [False, True])
async def test_cursor_asks_as_in_responses_and_reads_a_chat(
    door: Open, provider: str, stream: bool
) -> None:
    flat = v.FUNCTION["function"] | {"type": "function"}
    said = [{"role": "system", "content": v.SYSTEM}, {"role": "user", "content": v.TOOL_WISH}]
    body = {"model": MODELS[provider], "input": said, "tools": [flat], "stream": stream}
    answer = await door.ask("/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    if stream:
        assert answer.text.endswith("data: [DONE]\n\n")
        assert '"object":"chat.completion.chunk"' in answer.text
        assert '"name":"forecast"' in answer.text
    else:
        found = answer.json()
        assert found["object"] == "chat.completion"
        assert len(found["choices"][0]["message"]["tool_calls"]) == 2
    assert v.system_in(provider, await v.got(door, provider)) == v.SYSTEM


@pytest.mark.parametrize("provider", list(MODELS))
async def test_dify_checks_a_model_with_a_small_call(door: Open, provider: str) -> None:
    model = {"model": MODELS[provider], "max_tokens": 5}
    ping = [{"role": "user", "content": "ping"}]
    chat = await door.ask("/v1/chat/completions", model | {"messages": ping})
    assert (chat.status_code, chat.json()["object"]) == (200, "chat.completion")
    text = await door.ask("/v1/completions", model | {"prompt": "ping"})
    assert (text.status_code, text.json()["object"]) == (200, "text_completion")
    stream = await door.ask("/v1/chat/completions", model | {"messages": ping, "stream": True})
    assert stream.status_code == 200
    events = [event for event in stream.text.split("\n\n") if event]
    assert all(event.startswith("data: ") for event in events)


async def test_continue_fills_a_middle_by_ollama(door: Open) -> None:
    name = "qwen2.5-coder-autocomplete"
    body = {"model": name, "prompt": v.FIM, "stream": True, "stop": ["<|endoftext|>"]}
    answer = await door.ask("/v1/completions", body | {"max_tokens": 256, "temperature": 0.01})
    assert answer.status_code == 200, answer.text
    assert (await v.entry(door, "ollama"))["path"] == "/api/generate"
    asked = await v.got(door, "ollama")
    assert (asked["model"], asked["raw"]) == ("qwen2.5-coder:1.5b", True)
    assert (asked["prompt"], asked["keep_alive"]) == (v.FIM, "60m")
    bounds = {"num_predict": 256, "temperature": 0.01, "stop": ["<|endoftext|>"]}
    assert asked["options"] == bounds | {"num_ctx": 4096}


async def test_the_context_is_the_tables_at_every_door(door: Open) -> None:
    own = {"num_ctx": 1000}
    said = [{"role": "user", "content": "привет"}]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {"messages": said, "options": own, "num_ctx": 1000}),
        ("/v1/responses", {"input": "привет", "num_ctx": 1000}),
        ("/v1/completions", {"prompt": "привет", "options": own}),
        ("/v1/messages", {"messages": said, "max_tokens": 99, "num_ctx": 1000}),
        ("/api/chat", {"messages": said, "options": own, "stream": False}),
        ("/api/chat", {"messages": said}),
        ("/api/generate", {"prompt": "привет", "options": own, "stream": False}),
    ]
    for path, body in asked:
        answer = await door.ask(path, {"model": "main"} | body)
        assert answer.status_code == 200, answer.text
        assert (await v.got(door, "ollama"))["options"]["num_ctx"] == 32768, path
    for path in ("/v1/embeddings", "/api/embed"):
        await door.ask(path, {"model": "embed", "input": path, "options": own})
        assert (await v.got(door, "ollama"))["options"] == {"num_ctx": 8192}, path
    state = await door.state("ollama")
    assert not state["counts"].get("reload")
    assert state["loaded"] == {"qwen3:30b": 32768, "nomic-embed-text:latest": 8192}


async def test_ollamas_sdk_may_not_reload_a_model_either(door: Open) -> None:
    headers = {"Authorization": f"Bearer {door.key}"}
    async with ollama.AsyncClient(door.url, headers=headers, trust_env=False) as client:
        for context in (2048, 8192):
            said = [{"role": "user", "content": "привет"}]
            options = {"num_ctx": context, "seed": 7}
            await client.chat("main", said, options=options, keep_alive=0)
            asked = await v.got(door, "ollama")
            assert asked["options"] == {"num_ctx": 32768, "seed": 7}
            assert asked["keep_alive"] == "30m"
    assert not (await door.state("ollama"))["counts"].get("reload")


def fixed(door: Open) -> None:
    """Have ``main`` answered by a model that takes no temperature."""
    door.write({"aliases": {"main": {"candidates": [FIXED]}}})


async def test_a_model_without_temperature_gets_none_from_openais_clients(door: Open) -> None:
    fixed(door)
    said: Any = [{"role": "user", "content": "привет"}]
    async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key=door.key) as client:
        await client.chat.completions.create(model="main", messages=said, **HOT)
        assert not v.HEAT & (await v.got(door, "anthropic")).keys()
        await client.responses.create(model="main", input="привет", **HOT)
        assert not v.HEAT & (await v.got(door, "anthropic")).keys()


async def test_a_model_without_temperature_gets_none_from_its_own_clients(door: Open) -> None:
    fixed(door)
    said: Any = [{"role": "user", "content": "привет"}]
    async with anthropic.AsyncAnthropic(base_url=door.url, api_key=door.key) as client:
        await client.messages.create(
            model="main", max_tokens=99, messages=said, extra_body=HOT | {"top_k": 5}
        )
    assert not v.HEAT & (await v.got(door, "anthropic")).keys()


async def test_ollamas_model_without_temperature_gets_none(door: Open) -> None:
    local = {"provider": "ollama", "model": "llama3.1:8b", "num_ctx": 8192, "temperature": False}
    door.write({"aliases": {"main": {"candidates": [local]}}})
    said = [{"role": "user", "content": "привет"}]
    for path in ("/v1/chat/completions", "/api/chat"):
        body = {"model": "main", "messages": said, "stream": False, "options": HOT} | HOT
        assert (await door.ask(path, body)).status_code == 200
        assert (await v.got(door, "ollama"))["options"] == {"num_ctx": 8192}, path
