"""Every client dialect by every provider, with the vendors' own SDKs as the clients."""

from __future__ import annotations

import openai
import pytest

from tests.gateway.llm.cells import DOCS, DOORS, MODELS, NO_VECTORS, PROVIDERS, table
from tests.gateway.llm.open_house import Open
from tests.gateway.llm.talking import (
    MANY,
    TALKS,
    WEATHER,
    by_anthropic,
    by_ollama,
    by_openai,
)

CELLS = [(door, provider) for door in TALKS for provider in PROVIDERS]
WITH_TOOLS = [(door, provider) for door, provider in CELLS if "tools" in DOORS[door][1][provider]]
VECTORS = {"Ollama": "embed", "OpenRouter": "openrouter/qwen/qwen3-embedding-8b"}
FIM = "<|fim_prefix|>def f(<|fim_suffix|>): pass<|fim_middle|>"


@pytest.mark.parametrize(("path", "provider"), CELLS)
async def test_words_come_whole(door: Open, path: str, provider: str) -> None:
    model, talk = MODELS[provider], TALKS[path]
    whole = await talk(door, model, MANY, False, False)
    streamed = await talk(door, model, MANY, True, False)
    assert len(whole.text.split()) >= 50
    assert streamed.text.split()[-50:] == whole.text.split()[-50:]
    calls = await door.calls()
    assert {call["outcome"] for call in calls} == {"ok"}
    assert all(call["provider"] == provider.lower() for call in calls)
    assert all(call["completion_tokens"] and call["prompt_tokens"] for call in calls)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "provider"), WITH_TOOLS)
async def test_a_tool_is_called(door: Open, path: str, provider: str, stream: bool) -> None:
    said = await TALKS[path](door, MODELS[provider], WEATHER, stream, True)
    [(name, arguments)] = said.calls
    assert name == "weather"
    assert isinstance(arguments["city"], str)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_vectors(door: Open, provider: str) -> None:
    model = VECTORS.get(provider, MODELS[provider])
    async with by_openai(door) as client, by_ollama(door) as other:
        if DOORS["`/v1/embeddings`"][1][provider] == NO_VECTORS:
            with pytest.raises(openai.BadRequestError, match="no embeddings"):
                await client.embeddings.create(model=model, input="раз")
            return
        packed = await client.embeddings.create(model=model, input=["раз", "два"])
        plain = await client.embeddings.create(
            model=model, input=["раз", "два"], encoding_format="float"
        )
        native = await other.embed(model, ["раз", "два"])
    for one, two, three in zip(packed.data, plain.data, native.embeddings, strict=True):
        assert one.embedding == pytest.approx(two.embedding)
        assert one.embedding == pytest.approx(list(three), abs=1e-6)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_middle_is_filled_in_by_ollama_alone(door: Open, provider: str) -> None:
    async with by_openai(door) as client:
        if provider != "Ollama":
            with pytest.raises(openai.BadRequestError, match="chats only"):
                await client.completions.create(model=MODELS[provider], prompt=FIM)
            return
        await client.completions.create(model="qwen2.5-coder-autocomplete", prompt=FIM)
        suffixed = {"prompt": "def f(", "suffix": "): pass"}
        await client.completions.create(model="qwen2.5-coder-autocomplete", **suffixed)
    templated, plain = (entry["body"] for entry in (await door.journal("ollama"))[-2:])
    assert '"raw":true' in templated.replace(" ", "")
    assert '"suffix":"): pass"' in plain
    assert '"raw":true' not in plain.replace(" ", "")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_tokens_are_counted(door: Open, provider: str) -> None:
    asked = [{"role": "user", "content": "Сколько здесь слов?"}]
    async with by_anthropic(door) as client:
        found = await client.messages.count_tokens(model=MODELS[provider], messages=asked)
    assert found.input_tokens > 0
    was_asked = any("count_tokens" in e["path"] for e in await door.journal("anthropic"))
    assert was_asked == (provider == "Anthropic")


async def test_a_body_for_anthropic_arrives_byte_for_byte(door: Open) -> None:
    message = '"messages":[{"role":"user","content":"а"}]'
    body = ('{ "max_tokens":9,\n "model" : "claude-opus", ' + message + "}").encode()
    headers = {"anthropic_version": "2023-06-01", "anthropic_beta": "some-2026"}
    answer = await door.ask("/v1/messages?beta=true", body, **headers)
    assert answer.json()["type"] == "message"
    [entry] = await door.journal("anthropic")
    assert entry["body"].encode() == body.replace(b"claude-opus", b"claude-opus-4-6")
    assert entry["query"] == "beta=true"
    assert entry["headers"]["anthropic-beta"] == "some-2026"


async def test_the_context_of_the_table_counts_and_never_the_clients(door: Open) -> None:
    async with by_ollama(door) as client:
        asked = [{"role": "user", "content": "ping"}]
        await client.chat("main", asked, options={"num_ctx": 2048, "temperature": 0.3})
        await client.chat("main", asked)
    assert await door.state("ollama")
    for entry in await door.journal("ollama"):
        assert '"num_ctx":32768' in entry["body"].replace(" ", "")


async def test_a_body_of_cursor_is_answered_as_a_chat(door: Open) -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    body = {"model": "groq-fast", "input": "ping", "tools": [tool]}
    answer = (await door.ask("/v1/chat/completions", body)).json()
    assert answer["object"] == "chat.completion"


def test_the_docs_show_the_cells_that_are_tested() -> None:
    assert table() in DOCS.read_text(), "write tests.gateway.llm.cells.table() into it"
