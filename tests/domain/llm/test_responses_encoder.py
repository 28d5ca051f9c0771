from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from lib.domain.llm.responses_client import ResponsesClient
from lib.domain.llm.responses_items import unsealed

from .openai_making import (
    CALL,
    DETAIL,
    STAMP,
    USAGE,
    answer,
    call_delta,
    chunk,
    events_in,
    said_by,
    streams,
)
from .test_responses_request import RICH

CLIENT = ResponsesClient()
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
THOUGHTFUL = answer(
    content="hi", reasoning_content="hm", reasoning_details=[DETAIL], tool_calls=[CALL]
)


def streamed(*told: dict[str, Any]) -> list[dict[str, Any]]:
    encoder = CLIENT.encoder(RICH, STAMP)
    raw = b"".join(map(encoder.feed, told)) + encoder.end()
    events = events_in(raw)
    for event in events:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_the_order_of_events() -> None:
    events = streamed(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm"),
        chunk(content="h"),
        chunk(content="i"),
        call_delta(0, "", id="call_1", name="weather"),
        call_delta(0, "{}"),
        chunk("tool_calls"),
        chunk() | {"choices": [], "usage": USAGE},
    )
    assert kinds(events) == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        "completed",
    ]


def test_an_answer_and_its_stream_are_the_same_response() -> None:
    message = dict(THOUGHTFUL["choices"][0]["message"])
    calls = [{"index": 0, **call} for call in message.pop("tool_calls")]
    events = streamed(chunk(**message), chunk(tool_calls=calls), chunk("stop") | {"usage": USAGE})
    whole = CLIENT.answer_from(THOUGHTFUL, RICH, STAMP)
    assert events[-1]["response"] == whole
    Response.model_validate(whole)
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message", "function_call"]
    assert unsealed(whole["output"][0]["encrypted_content"]) == [DETAIL]
    assert whole["tools"][0]["name"] == "weather"
    assert whole["usage"]["input_tokens"] == USAGE["prompt_tokens"]


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_the_status_follows_the_reason(reason: str, status: str, why: Any) -> None:
    made = CLIENT.answer_from(answer(reason, content="hi"), RICH, STAMP)
    assert (made["status"], made["incomplete_details"]) == (status, why)
    assert made["output"][0]["status"] == status
    assert streamed(chunk(content="hi"), chunk(reason))[-1]["type"] == f"response.{status}"


@given(streams())
def test_any_stream_is_valid_and_loses_no_word(told: list[dict[str, Any]]) -> None:
    final = streamed(*told)[-1]["response"]
    Response.model_validate(final)
    parts = [p for item in final["output"] for p in item.get("content") or item.get("summary", [])]
    for key, kind, name in (
        ("content", "output_text", "text"),
        ("refusal", "refusal", "refusal"),
        ("reasoning_content", "summary_text", "text"),
    ):
        text = "".join(part[name] for part in parts if part["type"] == kind)
        assert text == said_by(told, key)
    numbers = [item["id"].rsplit("_")[-1] for item in final["output"]]
    assert numbers == [str(number) for number in range(len(numbers))]


@given(streams())
def test_a_response_comes_back_as_what_the_model_said(told: list[dict[str, Any]]) -> None:
    final = streamed(*told)[-1]["response"]
    user = {"role": "user", "content": "go on"}
    body = {"model": "m", "input": [*final["output"], user]}
    *said, last = CLIENT.chat_from(body)["messages"]
    assert last == user
    calls = [item for item in final["output"] if item["type"] == "function_call"]
    sent = [call["id"] for message in said for call in message.get("tool_calls", [])]
    assert sent == [call["call_id"] for call in calls]
    details = [item["encrypted_content"] for item in final["output"] if item["type"] == "reasoning"]
    for message in said:
        expected = [one for text in details if text for one in unsealed(text)]
        assert message.get("reasoning_details", []) == expected


def test_pieces_of_details_are_joined() -> None:
    told = [
        chunk(reasoning_content="a", reasoning_details=[{"type": "t", "text": "a", "index": 0}]),
        chunk(reasoning_content="b", reasoning_details=[{"type": "t", "text": "b", "index": 0}]),
        chunk(reasoning_details=[{"type": "t", "signature": "s", "index": 0, "text": None}]),
        chunk(reasoning_details=[{"type": "e", "data": "x"}, {"type": "e", "data": "y"}]),
    ]
    item = streamed(*told, chunk("stop"))[-1]["response"]["output"][0]
    assert item["summary"] == [{"type": "summary_text", "text": "ab"}]
    assert unsealed(item["encrypted_content"]) == [
        {"type": "t", "text": "ab", "index": 0, "signature": "s"},
        {"type": "e", "data": "x"},
        {"type": "e", "data": "y"},
    ]


def test_calls_whose_pieces_alternate_stay_whole() -> None:
    events = streamed(
        call_delta(0, "{", id="c0", name="f"),
        call_delta(1, "[", id="c1", name="g"),
        call_delta(0, "}"),
        call_delta(1, "]"),
        call_delta(2, "", id="c2", name="h"),
        chunk("tool_calls"),
    )
    output = events[-1]["response"]["output"]
    assert [(one["call_id"], one["arguments"]) for one in output] == [
        ("c0", "{}"),
        ("c1", "[]"),
        ("c2", "{}"),
    ]


@pytest.mark.parametrize("told", [[], [chunk(content="hi")]])
def test_a_broken_stream_ends_with_error_and_failed(told: list[dict[str, Any]]) -> None:
    encoder = CLIENT.encoder(RICH, STAMP)
    raw = b"".join(map(encoder.feed, told)) + encoder.fail(429, "slow down")
    events = events_in(raw)
    for event in events:
        EVENT.validate_python(event)
    assert kinds(events)[:2] == ["created", "in_progress"]
    assert events[-1]["type"] == "response.failed"
    failed = events[-1]["response"]
    assert failed["error"] == {"code": "rate_limit_exceeded", "message": "slow down"}
    error = next(event for event in events if event["type"] == "error")
    assert error["error"]["message"] == error["message"] == "slow down"
    assert b"event: error\n" in raw
    assert orjson.dumps(failed["output"]).count(b"incomplete") == len(told)
