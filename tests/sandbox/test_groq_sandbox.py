"""The stand-in for Groq, as Groq's own SDK sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import groq
import pytest
from groq import AsyncGroq

from tests.sandbox.model_box import ASKED, FUNCTION, SCHEMA, ModelBox, box_of, says
from tests.sandbox.telegram_box import Sandbox

MODEL = "llama-3.3-70b-versatile"
THINKER = "openai/gpt-oss-120b"


@pytest.fixture
async def box(served: Sandbox) -> AsyncIterator[ModelBox]:
    async with box_of(served.http, "groq") as box:
        yield box


@pytest.fixture
async def client(box: ModelBox) -> AsyncIterator[AsyncGroq]:
    async with AsyncGroq(api_key="any", base_url=box.url, max_retries=0) as client:
        yield client


async def ask(client: AsyncGroq, text: Any = "привет", model: str = MODEL, **more: Any) -> Any:
    return await client.chat.completions.create(messages=says(text), model=model, **more)


async def test_an_answer_and_its_stream_are_the_same(client: AsyncGroq) -> None:
    whole = await ask(client)
    assert whole.choices[0].message.content == "Вы написали: привет"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert whole.x_groq.id
    options = {"stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in await ask(client, stream=True, extra_body=options)]
    assert chunks[0].choices[0].delta.role == "assistant"
    told = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(told) == whole.choices[0].message.content
    assert len(told) >= 5
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].x_groq.usage.total_tokens == whole.usage.total_tokens


async def test_thoughts_stand_where_the_vendor_puts_them(client: AsyncGroq) -> None:
    message = (await ask(client, model=THINKER)).choices[0].message
    assert message.reasoning
    assert message.content.startswith("Вы")
    raw = (await ask(client, model="qwen/qwen3-32b")).choices[0].message
    assert raw.content.startswith("<think>")
    hidden = await ask(client, model="qwen/qwen3-32b", reasoning_format="hidden")
    assert hidden.choices[0].message.content.startswith("Вы")
    assert hidden.choices[0].message.reasoning is None
    still = await ask(client, model="qwen/qwen3-32b", reasoning_effort="none")
    assert still.choices[0].message.content.startswith("Вы")
    chunks = [chunk async for chunk in await ask(client, model=THINKER, stream=True)]
    assert "".join(c.choices[0].delta.reasoning or "" for c in chunks) == message.reasoning


async def test_tools_are_called_in_pieces_and_their_answers_quoted(client: AsyncGroq) -> None:
    whole = await ask(client, ASKED, tools=[FUNCTION])
    [call] = whole.choices[0].message.tool_calls
    assert whole.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"city": ASKED, "days": 1}
    pieces = []
    async for chunk in await ask(client, "two tools", tools=[FUNCTION], stream=True):
        pieces += chunk.choices[0].delta.tool_calls or []
    assert [piece.function.name for piece in pieces if piece.id] == ["forecast"] * 2
    for index in (0, 1):
        told = [piece.function.arguments for piece in pieces if piece.index == index]
        assert len(told) > 5
        assert json.loads("".join(told))["days"] == 1
    answered = [
        *says(ASKED),
        whole.choices[0].message.model_dump(include={"role", "tool_calls"}),
        {"role": "tool", "tool_call_id": call.id, "content": "дождь"},
    ]
    final = await client.chat.completions.create(messages=answered, model=MODEL, tools=[FUNCTION])
    assert final.choices[0].message.content == "Инструмент ответил: дождь"


async def test_json_and_limits(client: AsyncGroq) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    answer = await ask(client, response_format=form)
    assert json.loads(answer.choices[0].message.content) == {"city": "", "days": 1}
    short = await ask(client, "repeat 500", max_completion_tokens=5)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 5


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"logprobs": True}, "property 'logprobs' is unsupported"),
        ({"top_logprobs": 2}, "property 'top_logprobs' is unsupported"),
        ({"logit_bias": {"1": 1}}, "property 'logit_bias' is unsupported"),
        ({"n": 2}, "'n' : number must be at most 1"),
        ({"extra_body": {"top_k": 1}}, "property 'top_k' is unsupported"),
        ({"extra_body": {"messages": [{"role": "user", "content": "x", "name": "a"}]}}, "'name'"),
        (
            {"extra_body": {"messages": [{"role": "assistant", "reasoning_content": "x"}]}},
            "'messages.0' : for 'role:assistant' the following must be satisfied",
        ),
        (
            {"extra_body": {"messages": [{"role": "assistant", "reasoning": "x"}]}},
            "reasoning is not supported with this model",
        ),
    ],
)
async def test_what_it_does_not_know_is_refused(
    client: AsyncGroq, more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(groq.BadRequestError) as refused:
        await ask(client, **more)
    assert complaint in refused.value.message


async def test_models_limits_and_what_there_is_not(client: AsyncGroq, box: ModelBox) -> None:
    assert MODEL in [model.id for model in (await client.models.list()).data]
    raw = await client.chat.completions.with_raw_response.create(messages=says("x"), model=MODEL)  # type: ignore[arg-type]
    assert raw.headers["x-ratelimit-remaining-tokens"]
    with pytest.raises(groq.NotFoundError, match="does not exist or you do not have access"):
        await ask(client, model="gone")
    with pytest.raises(groq.NotFoundError, match="Unknown request URL: POST /openai/v1/embeddings"):
        await client.embeddings.create(input="x", model="nomic-embed-text-v1_5")


async def test_failures_are_the_errors_of_the_sdk(client: AsyncGroq, box: ModelBox) -> None:
    await box.fail("status", status=429, retry_after_s=3)
    with pytest.raises(groq.RateLimitError) as limited:
        await ask(client)
    assert limited.value.response.headers["retry-after"] == "3"
    error: Any = limited.value.body
    assert (error["error"]["type"], error["error"]["code"]) == ("tokens", "rate_limit_exceeded")
    await box.fail("blocked")
    with pytest.raises(groq.PermissionDeniedError, match="you have been blocked"):
        await ask(client)
    await box.fail("error_midstream")
    stream = await ask(client, stream=True)
    with pytest.raises(groq.APIError, match="Internal Server Error"):
        [chunk async for chunk in stream]
    await box.fail("empty")
    assert (await ask(client)).choices == []


async def test_one_refusal_says_when_to_come_back_and_the_next_does_not(
    client: AsyncGroq, box: ModelBox
) -> None:
    await box.fail("status", status=429, retry_after_s=3, times=1)
    with pytest.raises(groq.RateLimitError) as limited:
        await ask(client)
    assert limited.value.response.headers["retry-after"] == "3"
    await box.fail("status", status=500, times=1)
    with pytest.raises(groq.InternalServerError) as failed:
        await ask(client)
    assert "retry-after" not in failed.value.response.headers
