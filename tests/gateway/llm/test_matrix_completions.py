"""OpenAI's SDK at /v1/completions and /v1/embeddings, with each provider behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.gateway.llm import vendors_got as v
from tests.gateway.llm.cells import (
    COMPLETIONS,
    EMBEDDINGS,
    FILLERS,
    MIDDLES,
    MODELS,
    VECTORS,
    covers,
    refuses,
)
from tests.gateway.llm.open_house import Open


@pytest.fixture
async def client(door: Open) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(
        base_url=f"{door.url}/v1", api_key=door.key, max_retries=0
    ) as client:
        yield client


async def told(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


@covers(COMPLETIONS, "text")
async def test_text(client: Any, provider: str) -> None:
    answer = await client.completions.create(model=MODELS[provider], prompt="привет")
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "Вы написали: привет"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0


@covers(COMPLETIONS, "stream", "usage")
async def test_a_stream_is_whole(client: Any, provider: str) -> None:
    asked = {"model": MODELS[provider], "prompt": v.REPEAT, "stream": True}
    chunks = await told(await client.completions.create(**asked))
    assert v.is_whole(text_of(chunks))
    assert all(chunk.usage is None for chunk in chunks)
    counts = {"stream_options": {"include_usage": True}}
    *_, last = await told(await client.completions.create(**asked, **counts))
    assert last.choices == []
    assert last.usage.completion_tokens > 50


@covers(COMPLETIONS, "length", "stop")
async def test_an_answer_is_bounded(door: Open, client: Any, provider: str) -> None:
    answer = await client.completions.create(
        model=MODELS[provider], prompt=v.REPEAT, max_tokens=3, stop=[v.STOP]
    )
    assert answer.choices[0].finish_reason == "length"
    assert v.stops_in(provider, await v.got(door, provider)) == [v.STOP]


@covers(MIDDLES, "text")
async def test_a_templated_prompt_goes_on_raw(door: Open, client: Any, provider: str) -> None:
    answer = await client.completions.create(model=FILLERS[provider], prompt=v.FIM, max_tokens=64)
    assert answer.choices[0].text.startswith("raw:<|fim_prefix|>def f():")
    asked = await v.entry(door, provider)
    assert asked["path"] == "/api/generate"
    body = await v.got(door, provider)
    assert (body["raw"], body["prompt"]) == (True, v.FIM)


@covers(MIDDLES, "stream")
async def test_a_middle_streams(client: Any, provider: str) -> None:
    asked = {"model": FILLERS[provider], "prompt": v.FIM, "stream": True}
    chunks = await told(await client.completions.create(**asked))
    assert text_of(chunks).startswith("raw:<|fim_prefix|>def f():")
    assert chunks[-1].choices[0].finish_reason == "stop"


@covers(MIDDLES, "suffix")
async def test_a_suffix_goes_on_as_one(door: Open, client: Any, provider: str) -> None:
    asked = {"model": FILLERS[provider], "prompt": "def f():\n", "suffix": "\nf()"}
    assert (await client.completions.create(**asked)).choices[0].text == "suffix:\nf()"
    body = await v.got(door, provider)
    assert (body["suffix"], body.get("raw")) == ("\nf()", None)


@refuses(MIDDLES)
@pytest.mark.parametrize("asked", [{"prompt": v.FIM}, {"prompt": "a", "suffix": "b"}])
async def test_no_chat_model_fills_a_middle(
    client: Any, provider: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError, match="fills in no middle; ask an Ollama") as told:
        await client.completions.create(model=FILLERS[provider], **asked)
    assert (told.value.status_code, told.value.code) == (400, "not_possible")


@covers(EMBEDDINGS, "floats", "base64")
async def test_packed_vectors_equal_plain_ones(client: Any, provider: str) -> None:
    asked = {"model": VECTORS[provider], "input": ["лид", "заявка"]}
    packed = await client.embeddings.create(**asked)  # the SDK asks for base64 and unpacks it
    plain = await client.embeddings.create(**asked, encoding_format="float")
    vectors = [row.embedding for row in plain.data]
    assert [row.embedding for row in packed.data] == vectors
    assert [len(vector) for vector in vectors] == [768, 768]
    assert vectors[0] != vectors[1]
    assert [row.index for row in plain.data] == [0, 1]
    assert plain.usage.prompt_tokens > 0


@refuses(EMBEDDINGS)
async def test_who_has_no_vectors_says_so(client: Any, provider: str) -> None:
    with pytest.raises(openai.BadRequestError, match="it gives no embeddings") as told:
        await client.embeddings.create(model=VECTORS[provider], input="лид")
    assert (told.value.status_code, told.value.code) == (400, "not_possible")
