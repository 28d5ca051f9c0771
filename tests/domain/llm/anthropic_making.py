"""Chats, answers and streams for the tests of Anthropic's dialect, and the SDK as their judge."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import strategies as st
from pydantic import TypeAdapter

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.wire import Event, Json, SseReader

from ..making import any_json

anthropic_types = pytest.importorskip("anthropic.types")
params = pytest.importorskip("anthropic.types.message_create_params")

STAMP = Stamp(id="abc123", created=1_795_000_000, model="claude-at-home")
PNG = "iVBORw0KGgo="

_request = TypeAdapter(params.MessageCreateParamsNonStreaming)
_stream_request = TypeAdapter(params.MessageCreateParamsStreaming)
_event = TypeAdapter(anthropic_types.RawMessageStreamEvent)


def check_request(request: Json) -> Json:
    """The same request, if the SDK's types know it. Sampling is no longer among them."""
    typed = {k: v for k, v in request.items() if k not in ("temperature", "top_p", "top_k")}
    adapter = _stream_request if request.get("stream") else _request
    found = adapter.validate_python(typed)
    assert orjson.loads(orjson.dumps(found, default=list)).keys() == typed.keys()
    return request


def check_message(message: Json) -> Json:
    anthropic_types.Message.model_validate(message)
    return message


def events_in(stream: bytes) -> list[Event]:
    reader = SseReader()
    return [*reader.feed(stream), *reader.rest()]


def check_stream(stream: bytes) -> list[Json]:
    """The payloads of a whole stream, in the order that Anthropic keeps."""
    events = events_in(stream)
    found = [orjson.loads(event.data) for event in events]
    assert [event.name for event in events] == [payload["type"] for payload in found]
    for payload in found:
        _event.validate_python(payload)
    kinds = [payload["type"] for payload in found]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    open_block, blocks = None, 0
    for payload in found[1:-2]:
        if payload["type"] == "content_block_start":
            assert (open_block, payload["index"]) == (None, blocks)
            open_block, blocks = blocks, blocks + 1
        else:
            assert payload["index"] == open_block
        if payload["type"] == "content_block_stop":
            open_block = None
    assert open_block is None
    return found


def text(said: str, **fields: Any) -> Json:
    return {"type": "text", "text": said, **fields}


def chunk(delta: Json | None = None, finish_reason: str | None = None, **fields: Any) -> Json:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "choices": [choice], **fields}


def call_delta(index: int, arguments: str, call_id: str = "", name: str = "") -> Json:
    call: Json = {"index": index, "function": {"arguments": arguments}}
    if call_id:
        call |= {"id": call_id, "type": "function"}
        call["function"]["name"] = name
    return {"tool_calls": [call]}


def sum_of(chunks: list[Json]) -> Json:
    """What a client of chat has at the end of a stream."""
    total: Json = {"content": "", "thought": "", "details": [], "calls": {}, "finish": None}
    for found in chunks:
        total["usage"] = found.get("usage", total.get("usage"))
        for choice in found["choices"]:
            delta = choice["delta"]
            total["content"] += delta.get("content") or ""
            total["thought"] += delta.get("reasoning_content", "")
            total["details"] += delta.get("reasoning_details", [])
            total["finish"] = choice["finish_reason"] or total["finish"]
            for piece in delta.get("tool_calls", []):
                call = total["calls"].setdefault(piece["index"], {"id": "", "name": "", "args": ""})
                call["id"] += piece.get("id", "")
                call["name"] += piece["function"].get("name", "")
                call["args"] += piece["function"].get("arguments", "")
    return total


def _is_writable(value: Any) -> bool:
    try:
        return bool(orjson.dumps(value))
    except TypeError:
        return False


as_parsed = any_json.filter(_is_writable)


@st.composite
def bent(draw: st.DrawFn, body: Any) -> Any:
    """A good body in which, at any depth, values are replaced by arbitrary JSON or left out."""
    if draw(st.integers(0, 15)) == 7:
        return draw(as_parsed)
    if isinstance(body, list):
        return [draw(bent(item)) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {key: value for key, value in body.items() if draw(st.integers(0, 19)) != 7}
    return {key: draw(bent(value)) for key, value in kept.items()}


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
    lambda text: text.strip() == text and text
)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
inputs = st.dictionaries(texts, plain | st.lists(plain, max_size=2), max_size=3)


@st.composite
def details(draw: st.DrawFn) -> list[Json]:
    """Signed thoughts as Anthropic's own are kept in chat."""
    made: list[Json] = []
    for index in range(draw(st.integers(0, 2))):
        own = {"format": "anthropic-claude-v1", "index": index}
        if draw(st.booleans()):
            text, signature = draw(texts), draw(names)
            made.append({"type": "reasoning.text", "text": text, "signature": signature} | own)
        else:
            made.append({"type": "reasoning.encrypted", "data": draw(names)} | own)
    return made


@st.composite
def answers(draw: st.DrawFn) -> Json:
    """A chat message of the assistant: thoughts, a text, calls; never nothing at all."""
    text = draw(st.none() | texts)
    calls = [
        {
            "id": f"call_{n}_{draw(names)}",
            "type": "function",
            "function": {"name": draw(names), "arguments": orjson.dumps(draw(inputs)).decode()},
        }
        for n in range(draw(st.integers(0 if text else 1, 3)))
    ]
    message: Json = {"role": "assistant", "content": text}
    if thoughts := draw(details()):
        message["reasoning_details"] = thoughts
        if said := "".join(detail.get("text", "") for detail in thoughts):
            message["reasoning_content"] = said
    return message | ({"tool_calls": calls} if calls else {})


@st.composite
def chats(draw: st.DrawFn) -> list[Json]:
    """Messages of a chat in which turns alternate and every call gets its result."""
    messages: list[Json] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(texts)})
    for _ in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(texts)})
        answer = draw(answers())
        messages.append(answer)
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": draw(texts)}
            for call in answer.get("tool_calls", [])
        ]
    return messages


@st.composite
def usages(draw: st.DrawFn) -> Json:
    read, written, fresh, out = (draw(st.integers(0, 10**6)) for _ in range(4))
    return {
        "prompt_tokens": read + written + fresh,
        "completion_tokens": out,
        "total_tokens": read + written + fresh + out,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": draw(st.integers(0, out))},
    }
