from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.anthropic_client import AnthropicClient
from lib.domain.llm.wire import Json

from .anthropic_making import (
    STAMP,
    bent,
    call_delta,
    check_message,
    check_stream,
    chunk,
    text,
)

CLIENT = AnthropicClient()


def answered(message: Json, reason: str | None = "stop") -> Json:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return check_message(CLIENT.answer_from({"choices": [choice]}, {}, STAMP))


def test_an_answer_that_calls_is_to_go_on_whatever_reason_it_gives() -> None:
    call = {"function": {"name": "look", "arguments": "{not json"}}
    found = answered({"content": "", "reasoning_content": "Hm", "tool_calls": [call]})
    assert found["stop_reason"] == "tool_use"
    assert found["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {
            "type": "tool_use",
            "id": "toolu_abc123_0",
            "name": "look",
            "input": {"arguments": "{not json"},
        },
    ]


def test_a_refusal_and_an_empty_answer() -> None:
    found = answered({"content": None, "refusal": "No."}, "content_filter")
    assert (found["stop_reason"], found["content"]) == ("refusal", [text("No.")])
    assert answered({}, None)["content"] == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_errors(status: int, kind: str) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "so"}}
    assert CLIENT.error_from(status, "any", "so") == error
    event = CLIENT.encoder({}, STAMP).fail(status, "so")
    assert event == b"event: error\ndata: " + orjson.dumps(error) + b"\n\n"


def streamed(*chunks: Json) -> list[Json]:
    encoder = CLIENT.encoder({}, STAMP)
    return check_stream(b"".join([*map(encoder.feed, chunks), encoder.end()]))


def blocks_in(events: list[Json]) -> list[Json]:
    """Each block as it is when its stream is over."""
    blocks: list[Json] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append({"input_json": ""} | event["content_block"])
        elif event["type"] == "content_block_delta":
            kind, value = list(event["delta"].items())[1]
            key = "input_json" if kind == "partial_json" else kind
            blocks[-1][key] += value
    return blocks


def test_the_whole_sequence() -> None:
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    events = streamed(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm"}),
        chunk({"content": "Yes"}),
        chunk(call_delta(0, "", "a", "look")),
        chunk(call_delta(0, '{"at"')),
        chunk(call_delta(0, ":1}")),
        chunk(finish_reason="tool_calls"),
        {"choices": [], "usage": usage},
    )
    assert [(e["type"], e.get("index")) for e in events] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ]
    assert events[0]["message"]["id"] == "msg_abc123"
    assert events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert events[-2]["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
    }


def test_calls_that_mix_their_pieces_or_share_an_index() -> None:
    mixed = streamed(
        chunk(call_delta(0, "{", "a", "look")),
        chunk(call_delta(1, '{"b":', "b", "see")),
        chunk(call_delta(0, "}")),
        chunk({"content": "Meanwhile."}),
        chunk(call_delta(1, "2}")),
    )
    found = [(b.get("name"), b["input_json"], b.get("text")) for b in blocks_in(mixed)]
    assert found == [("look", "{}", None), ("see", '{"b":2}', None), (None, "", "Meanwhile.")]
    shared = streamed(
        chunk(call_delta(0, "{}", "a", "look")), chunk(call_delta(0, '{"b":2}', "b", "see"))
    )
    assert [(b["id"], b["input_json"]) for b in blocks_in(shared)] == [
        ("a", "{}"),
        ("b", '{"b":2}'),
    ]


def test_thoughts_of_openrouter_in_pieces() -> None:
    claude = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    gemini = {"type": "reasoning.encrypted", "data": "x", "format": "google-gemini-v1", "index": 1}
    events = streamed(
        chunk({"reasoning_content": "H", "reasoning_details": [claude | {"text": "H"}]}),
        chunk({"reasoning_content": "m", "reasoning_details": [claude | {"text": "m"}]}),
        chunk({"reasoning_details": [claude | {"signature": "sig"}]}),
        chunk({"content": "Yes", "reasoning_details": [gemini]}),
    )
    thinking, redacted, said = blocks_in(events)
    assert (thinking["thinking"], thinking["signature"]) == ("Hm", "sig")
    assert redacted["data"] == "potok:" + orjson.dumps(gemini).decode()
    assert said["text"] == "Yes"


def test_a_stream_without_any_chunk_is_an_empty_message() -> None:
    events = streamed()
    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]


CHOICE = {
    "delta": {
        "content": "a",
        "reasoning_content": "b",
        "reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}],
        **call_delta(0, "{}", "a", "look"),
    },
    "finish_reason": "stop",
}
USAGE = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}


@given(st.lists(bent({"choices": [CHOICE], "usage": USAGE}).filter(lambda c: isinstance(c, dict))))
def test_any_chunks_give_a_whole_stream(chunks: list[Any]) -> None:
    streamed(*chunks)


@given(bent({"choices": [{"message": CHOICE["delta"], "finish_reason": "stop"}], "usage": USAGE}))
def test_any_answer_gives_a_message(answer: Any) -> None:
    if isinstance(answer, dict):
        check_message(CLIENT.answer_from(answer, {}, STAMP))
