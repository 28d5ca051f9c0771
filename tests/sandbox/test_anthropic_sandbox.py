"""The stand-in for Anthropic, as Anthropic's own SDK sees it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from tests.sandbox.model_box import ASKED, PNG, SCHEMA, ModelBox, box_of, says
from tests.sandbox.telegram_box import Sandbox

MODEL = "claude-opus-4-6"
THINKER = "claude-haiku-4-5"
TOOL = {"name": "forecast", "description": "Прогноз", "input_schema": SCHEMA}
THINKS = {"type": "enabled", "budget_tokens": 1024}
CALLED = [{"type": "tool_use", "id": "a", "name": "forecast", "input": {}}]
ANSWER = {"type": "tool_result", "tool_use_id": "a", "content": "дождь"}


@pytest.fixture
async def box(served: Sandbox) -> AsyncIterator[ModelBox]:
    async with box_of(served.http, "anthropic") as box:
        yield box


@pytest.fixture
async def client(box: ModelBox) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key="any", base_url=box.url, max_retries=0) as client:
        yield client


async def ask(client: AsyncAnthropic, content: Any = "привет", **more: Any) -> Any:
    asked = {"model": MODEL, "max_tokens": 4000, "messages": says(content)}
    return await client.messages.create(**(asked | more))


async def test_an_answer_and_its_stream_are_the_same(client: AsyncAnthropic) -> None:
    whole = await ask(client, model=THINKER, thinking=THINKS)
    assert [block.type for block in whole.content] == ["thinking", "text"]
    assert whole.content[1].text == "Вы написали: привет"
    assert whole.stop_reason == "end_turn"
    asked: Any = {"model": THINKER, "max_tokens": 4000, "messages": says("привет")}
    async with client.messages.stream(**asked, thinking=THINKS) as stream:
        told = await stream.get_final_message()
    assert told.content[0] == whole.content[0]
    assert told.content[1].text == whole.content[1].text
    assert told.usage.output_tokens == whole.usage.output_tokens
    assert told.usage.input_tokens == whole.usage.input_tokens


async def test_events_come_in_the_order_of_the_vendor(box: ModelBox) -> None:
    body = {"model": MODEL, "max_tokens": 99, "messages": says("привет"), "stream": True}
    headers = {"authorization": "Bearer any", "anthropic-version": "2023-06-01"}
    answer = await box.http.post(f"{box.url}/v1/messages", json=body, headers=headers)
    names = re.findall(r"^event: (\w+)$", answer.text, re.M)
    assert names[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert names.count("content_block_delta") >= 5
    assert answer.headers["request-id"]


async def test_tools_are_called_and_thoughts_are_wanted_back(client: AsyncAnthropic) -> None:
    asked: Any = {"model": THINKER, "max_tokens": 4000, "messages": says("two tools")}
    async with client.messages.stream(**asked, tools=[TOOL], thinking=THINKS) as stream:
        kinds = [event.type async for event in stream]
        called = await stream.get_final_message()
    assert kinds.count("input_json") > 10
    assert [block.type for block in called.content] == ["thinking", "tool_use", "tool_use"]
    assert called.stop_reason == "tool_use"
    ids = [block.id for block in called.content if block.type == "tool_use"]
    assert called.content[1].input == {"city": "two tools", "days": 1}
    results = [{"type": "tool_result", "tool_use_id": i, "content": "дождь"} for i in ids]
    blocks = [block.model_dump(exclude_none=True) for block in called.content]
    turns = [*says("two tools"), {"role": "assistant", "content": blocks}]
    turns.append({"role": "user", "content": results})
    final = await ask(client, messages=turns, model=THINKER, tools=[TOOL], thinking=THINKS)
    assert final.content[-1].text == "Инструмент ответил: дождь\nдождь"
    blocks[0]["signature"] = "forged"
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
        await ask(client, messages=turns, model=THINKER, tools=[TOOL], thinking=THINKS)
    del blocks[0]
    with pytest.raises(anthropic.BadRequestError, match="but found `tool_use`"):
        await ask(client, messages=turns, model=THINKER, tools=[TOOL], thinking=THINKS)


async def test_choices_pictures_json_and_limits(client: AsyncAnthropic) -> None:
    forced = {"type": "tool", "name": "forecast"}
    answer = await ask(client, tools=[TOOL], tool_choice=forced)
    assert answer.content[0].name == "forecast"
    none = await ask(client, ASKED, tools=[TOOL], tool_choice={"type": "none"})
    assert none.content[0].type == "text"
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "что тут?"}]
    seen = await ask(client, content)
    assert seen.content[0].text == "Вы написали: что тут? [1 image(s)]"
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert (await ask(client, output_config=form)).content[0].text == '{"city":"","days":1}'
    short = await ask(client, "repeat 500", max_tokens=3)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 3)
    marked = [{"type": "text", "text": "x" * 400, "cache_control": {"type": "ephemeral"}}]
    used = (await ask(client, system=marked)).usage
    count = await client.messages.count_tokens(messages=says("привет"), model=MODEL, system=marked)  # type: ignore[arg-type]
    assert used.cache_read_input_tokens > 0
    assert used.input_tokens + used.cache_read_input_tokens == count.input_tokens


async def test_models_come_and_go(client: AsyncAnthropic) -> None:
    listed = {model.id: model async for model in client.models.list()}
    assert listed["claude-sonnet-4-5-20250929"].lifecycle == "deprecated"
    assert (await client.models.retrieve("claude-sonnet-4-5")).retires_at is not None
    with pytest.warns(DeprecationWarning, match="November 30th, 2026"):
        answer = await ask(client, model="claude-sonnet-4-5")
    assert answer.model == "claude-sonnet-4-5-20250929"
    with pytest.raises(anthropic.NotFoundError, match=r"model: claude-2\.1") as gone:
        await ask(client, model="claude-2.1")
    assert gone.value.type == "not_found_error"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", "2020-01-01", None])
async def test_a_version_has_to_be_said(box: ModelBox, version: str | None) -> None:
    headers = {"x-api-key": "any"} | ({"anthropic-version": version} if version else {})
    answer = await box.http.get(f"{box.url}/v1/models", headers=headers)
    is_known = version in {"2023-06-01", "2026-10-21"}
    assert answer.status_code == (200 if is_known else 400)
    assert is_known or answer.json()["error"]["message"].startswith("anthropic-version: ")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"extra_body": {"max_tokens": None}}, "max_tokens: Field required"),
        ({"extra_body": {"n": 1}}, "n: Extra inputs are not permitted"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role: Input should be"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'must use the "user" role'),
        ({"messages": says("")}, "text content blocks must be non-empty"),
        ({"messages": [*says("x"), {"role": "assistant", "content": "{"}]}, "prefill"),
        ({"messages": [*says("x"), {"role": "assistant", "content": CALLED}]}, "prefill"),
        (
            {"messages": [*says("x"), {"role": "assistant", "content": CALLED}, *says("y")]},
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after",
        ),
        ({"messages": says([ANSWER])}, "messages.0: unexpected `tool_use_id`"),
        ({"stop_sequences": ["\n"]}, "non-whitespace"),
        ({"extra_body": {"temperature": 1.5}}, "temperature: range: 0..1"),
        ({"model": "claude-opus-4-7", "extra_body": {"top_k": 5}}, "are not supported"),
        (
            {"model": THINKER, "thinking": THINKS, "max_tokens": 1024},
            "must be greater than `thinking.budget_tokens`",
        ),
        (
            {"model": THINKER, "thinking": THINKS, "tools": [TOOL], "tool_choice": {"type": "any"}},
            "forces tool use",
        ),
    ],
)
async def test_what_is_against_the_rules_is_refused(
    client: AsyncAnthropic, more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        await ask(client, **more)
    assert complaint in str(refused.value)
    assert refused.value.type == "invalid_request_error"


async def test_failures_are_the_errors_of_the_sdk(client: AsyncAnthropic, box: ModelBox) -> None:
    await box.fail("status", status=529)
    with pytest.raises(anthropic.OverloadedError):
        await ask(client)
    await box.fail("blocked")
    with pytest.raises(anthropic.PermissionDeniedError, match="Request not allowed"):
        await ask(client)
    await box.fail("error_midstream", after_chunks=4)
    stream = await ask(client, stream=True)
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        [event async for event in stream]
    await box.fail("empty")
    assert (await ask(client)).content == []
    with pytest.raises(anthropic.NotFoundError):
        await client.post("/v1/nowhere", cast_to=object)
