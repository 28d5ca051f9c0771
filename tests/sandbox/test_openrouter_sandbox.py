"""The stand-in for OpenRouter, as OpenAI's SDK sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.sandbox.model_box import ASKED, FUNCTION, PNG, SCHEMA, ModelBox, box_of, says
from tests.sandbox.telegram_box import Sandbox

MODEL = "deepseek/deepseek-v3.2"
THINKER = "deepseek/deepseek-r1-0528"
GONE = "tngtech/deepseek-r1t2-chimera"


@pytest.fixture
async def box(served: Sandbox) -> AsyncIterator[ModelBox]:
    async with box_of(served.http, "openrouter") as box:
        yield box


@pytest.fixture
async def client(box: ModelBox) -> AsyncIterator[AsyncOpenAI]:
    url = f"{box.url}/api/v1"
    async with AsyncOpenAI(api_key="any", base_url=url, max_retries=0) as client:
        yield client


async def ask(client: AsyncOpenAI, text: Any = "привет", model: str = MODEL, **more: Any) -> Any:
    return await client.chat.completions.create(messages=says(text), model=model, **more)


async def test_an_answer_has_thoughts_and_a_price(client: AsyncOpenAI) -> None:
    answer = await ask(client, model=THINKER)
    message = answer.choices[0].message
    assert message.content == "Вы написали: привет"
    assert message.reasoning == message.reasoning_details[0]["text"]
    assert answer.provider == "DeepInfra"
    used = answer.usage
    price = used.prompt_tokens * 0.0000005 + used.completion_tokens * 0.00000215
    assert used.cost == pytest.approx(price)
    silent = await ask(client, model=THINKER, extra_body={"reasoning": {"exclude": True}})
    assert not hasattr(silent.choices[0].message, "reasoning")
    thinks = await ask(client, extra_body={"reasoning": {"effort": "low"}})
    assert thinks.choices[0].message.reasoning


async def test_a_stream_has_comments_and_ends_with_usage(
    client: AsyncOpenAI, box: ModelBox
) -> None:
    chunks = [chunk async for chunk in await ask(client, model=THINKER, stream=True)]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    thoughts = [delta.reasoning for delta in deltas if hasattr(delta, "reasoning")]
    whole = await ask(client, model=THINKER)
    assert "".join(thoughts) == whole.choices[0].message.reasoning
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == ["stop", None]
    assert chunks[-1].usage.cost == whole.usage.cost
    raw = await box.http.post(
        f"{box.url}/api/v1/chat/completions",
        json={"model": MODEL, "messages": says("x"), "stream": True},
        headers={"authorization": "Bearer any"},
    )
    assert raw.text.startswith(": OPENROUTER PROCESSING\n\n")
    assert raw.text.endswith("data: [DONE]\n\n")
    assert raw.headers["x-generation-id"]


async def test_tools_pictures_json_and_limits(client: AsyncOpenAI) -> None:
    pieces: list[Any] = []
    async for chunk in await ask(client, ASKED, tools=[FUNCTION], stream=True):
        pieces += chunk.choices[0].delta.tool_calls or []
    written = "".join(piece.function.arguments for piece in pieces)
    assert json.loads(written) == {"city": ASKED, "days": 1}
    call = {"id": pieces[0].id, "type": "function"}
    called = {"role": "assistant", "content": None}
    called["tool_calls"] = [call | {"function": {"name": "forecast", "arguments": written}}]
    answered = [
        *says(ASKED),
        called,
        {"role": "tool", "tool_call_id": call["id"], "content": [{"type": "text", "text": "снег"}]},
    ]
    final: Any = await client.chat.completions.create(messages=answered, model=MODEL)  # type: ignore[arg-type]
    assert final.choices[0].message.content == "Инструмент ответил: снег"
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    seen = await ask(client, [{"type": "text", "text": "что тут?"}, picture, picture])
    assert seen.choices[0].message.content == "Вы написали: что тут? [2 image(s)]"
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    read = await ask(client, response_format=form)
    assert json.loads(read.choices[0].message.content) == {"city": "", "days": 1}
    short = await ask(client, "repeat 500", max_tokens=3)
    assert (short.choices[0].finish_reason, short.usage.completion_tokens) == ("length", 3)


async def test_models_have_prices_and_contexts(client: AsyncOpenAI) -> None:
    listed: Any = {model.id: model for model in (await client.models.list()).data}
    assert listed[THINKER].pricing["prompt"] == "0.0000005"
    assert listed[THINKER].context_length == 163_840
    assert GONE not in listed


@pytest.mark.parametrize("name", [GONE, f"{GONE}:free"])
async def test_a_model_without_endpoints_can_have_a_substitute(
    client: AsyncOpenAI, name: str
) -> None:
    with pytest.raises(openai.NotFoundError, match=f"No endpoints found for {name}."):
        await ask(client, model=name)
    answer = await ask(client, model=name, extra_body={"models": [name, THINKER]})
    assert answer.model == THINKER
    with pytest.raises(openai.BadRequestError, match="x is not a valid model ID"):
        await ask(client, model="x")


async def test_embeddings_are_numbers_whichever_way_they_travel(client: AsyncOpenAI) -> None:
    model = "qwen/qwen3-embedding-8b"
    packed = await client.embeddings.create(input=["раз", "два"], model=model)
    plain = await client.embeddings.create(input="два", model=model, encoding_format="float")
    assert packed.data[1].embedding == pytest.approx(plain.data[0].embedding)
    assert len(plain.data[0].embedding) == 768
    short = await client.embeddings.create(input="два", model=model, dimensions=16)
    assert len(short.data[0].embedding) == 16


async def test_failures_are_what_the_sdk_makes_of_them(client: AsyncOpenAI, box: ModelBox) -> None:
    await box.fail("error_in_200")
    answer = await ask(client)
    assert answer.choices is None
    assert answer.model_extra["error"]["code"] == 502
    for kind in ("error_in_200", "error_midstream"):
        await box.fail(kind)
        stream = await ask(client, stream=True)
        with pytest.raises(openai.APIError, match="Provider returned error"):
            [chunk async for chunk in stream]
    await box.fail("blocked")
    with pytest.raises(openai.PermissionDeniedError, match="not available in your region"):
        await ask(client)
    await box.fail("status", status=402)
    with pytest.raises(openai.APIStatusError) as refused:
        await ask(client)
    assert refused.value.status_code == 402
    await box.fail("not_found")
    with pytest.raises(openai.NotFoundError, match=f"No endpoints found for {MODEL}"):
        await ask(client)
    await box.fail("empty")
    assert (await ask(client)).choices == []
    await box.fail("empty")
    empty = [chunk async for chunk in await ask(client, stream=True)]
    assert [chunk.choices for chunk in empty] == [[]]
