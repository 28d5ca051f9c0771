from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.anthropic_provider import AnthropicProvider
from lib.domain.llm.wire import Event, Json
from lib.errors import PotokError, RateLimited, Rejected, Unavailable

from .anthropic_making import STAMP, bent, sum_of

PROVIDER = AnthropicProvider()


def event(kind: str, **fields: Any) -> Json:
    return {"type": kind, **fields}


def start(block: Json, index: int = 0) -> Json:
    return event("content_block_start", index=index, content_block=block)


def delta(kind: str, **fields: Any) -> Json:
    return event("content_block_delta", index=0, delta={"type": kind, **fields})


STOP = event("content_block_stop", index=0)
BEGIN = event(
    "message_start",
    message={"usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 1}},
)
ENOUGH = event(
    "message_delta",
    delta={"stop_reason": "end_turn"},
    usage={"output_tokens": 9, "input_tokens": None},
)
OVER = event("message_stop")


def read(*events: Json) -> list[Json]:
    decoder = PROVIDER.decoder(STAMP)
    chunks = [found for e in events for found in decoder.feed(Event(orjson.dumps(e), e["type"]))]
    return [*chunks, *decoder.end()]


def test_a_stream_of_everything() -> None:
    chunks = read(
        BEGIN,
        event("ping"),
        start({"type": "thinking", "thinking": "", "signature": ""}),
        delta("thinking_delta", thinking="H"),
        delta("thinking_delta", thinking="m"),
        delta("signature_delta", signature="sig"),
        STOP,
        start({"type": "redacted_thinking", "data": "blob"}),
        STOP,
        start({"type": "text", "text": ""}),
        delta("text_delta", text="Yes"),
        delta("citations_delta", citation={}),
        STOP,
        start({"type": "tool_use", "id": "a", "name": "look", "input": {}}),
        delta("input_json_delta", partial_json=""),
        delta("input_json_delta", partial_json='{"at"'),
        delta("input_json_delta", partial_json=":1}"),
        STOP,
        start({"type": "tool_use", "id": "b", "name": "see", "input": {}}),
        delta("input_json_delta", partial_json=""),
        STOP,
        start({"type": "server_tool_use", "id": "c", "name": "web_search", "input": {}}),
        delta("input_json_delta", partial_json='{"q":1}'),
        STOP,
        event("brand_new_event"),
        ENOUGH | {"delta": {"stop_reason": "tool_use"}},
        OVER,
        event("ping"),
    )
    own = {"format": "anthropic-claude-v1"}
    assert sum_of(chunks) == {
        "content": "Yes",
        "thought": "Hm",
        "details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "sig", "index": 0} | own,
            {"type": "reasoning.encrypted", "data": "blob", "index": 1} | own,
        ],
        "calls": {
            0: {"id": "a", "name": "look", "args": '{"at":1}'},
            1: {"id": "b", "name": "see", "args": "{}"},
        },
        "finish": "tool_calls",
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 9,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"] == []


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("of tomorrow", "stop"),
    ],
)
def test_why_it_stopped(stop_reason: str, finish_reason: str) -> None:
    chunks = read(BEGIN, ENOUGH | {"delta": {"stop_reason": stop_reason}}, OVER)
    assert sum_of(chunks)["finish"] == finish_reason
    answer = PROVIDER.chat_from({"content": [], "stop_reason": stop_reason}, STAMP)
    assert answer["choices"][0]["finish_reason"] == finish_reason


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("overloaded_error", Unavailable),
        ("rate_limit_error", RateLimited),
        ("invalid_request_error", Rejected),
    ],
)
def test_an_error_inside_a_200(kind: str, wanted: type[PotokError]) -> None:
    error = event("error", error={"type": kind, "message": "so it is"})
    with pytest.raises(wanted, match="so it is"):
        read(BEGIN, error)
    with pytest.raises(wanted, match="so it is"):
        PROVIDER.chat_from(error, STAMP)


def test_a_stream_that_breaks_off() -> None:
    with pytest.raises(Unavailable, match="broke off"):
        read(BEGIN, start({"type": "text", "text": "Ye"}), STOP, ENOUGH)


def test_what_is_no_message() -> None:
    with pytest.raises(Unavailable, match="no message"):
        PROVIDER.chat_from({"choices": []}, STAMP)


ALL = [
    BEGIN,
    ENOUGH,
    OVER,
    STOP,
    start({"type": "tool_use", "id": "a", "name": "look", "input": {}}),
    start({"type": "thinking", "thinking": "Hm", "signature": "sig"}),
    start({"type": "redacted_thinking", "data": "potok:{}"}),
    delta("input_json_delta", partial_json="{}"),
    delta("signature_delta", signature="sig"),
    delta("thinking_delta", thinking="Hm"),
    delta("text_delta", text="Yes"),
    event("error", error={"type": "api_error", "message": ""}),
]


@given(st.lists(st.sampled_from(ALL).flatmap(bent)))
def test_any_events_give_chunks_or_an_error_of_ours(events: list[Any]) -> None:
    decoder = PROVIDER.decoder(STAMP)
    with suppress(PotokError):
        for found in events:
            for chunk in decoder.feed(Event(orjson.dumps(found))):
                assert isinstance(chunk["choices"], list)
        decoder.end()


BLOCKS = [
    {"type": "text", "text": "Yes"},
    {"type": "thinking", "thinking": "Hm", "signature": "sig"},
    {"type": "tool_use", "id": "a", "name": "look", "input": {}},
]
USAGE = {"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"thinking_tokens": 1}}


@given(bent({"content": BLOCKS, "stop_reason": "end_turn", "usage": USAGE, "type": "message"}))
def test_any_answer_gives_a_chat_or_an_error_of_ours(answer: Any) -> None:
    with suppress(PotokError):
        assert PROVIDER.chat_from(answer, STAMP)["choices"]
