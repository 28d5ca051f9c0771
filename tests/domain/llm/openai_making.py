"""Chat answers and streams for tests, and the ways to read what was made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import strategies as st

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.wire import Event, SseReader
from lib.errors import PotokError

STAMP = Stamp(id="a1", created=1_795_338_000, model="potok-smart")
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "of a town", "parameters": {"type": "object"}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
DETAIL = {"type": "reasoning.text", "text": "hm", "signature": "s1", "index": 0}

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
pieces = words.filter(bool)


def chat(**fields: Any) -> dict[str, Any]:
    """A small chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": "hello"}]} | fields


def answer(finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat answer as a provider gives it."""
    return {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1_795_338_001,
        "model": "vendor/model",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": None} | message,
            }
        ],
        "usage": USAGE,
    }


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a chat stream."""
    return {
        "id": "gen-1",
        "object": "chat.completion.chunk",
        "created": 1_795_338_001,
        "model": "vendor/model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def call_delta(index: int, arguments: str, **first: Any) -> dict[str, Any]:
    """A piece of a call; ``id`` and ``name`` in its first one."""
    function = {"arguments": arguments} | ({"name": first.pop("name")} if "name" in first else {})
    return chunk(tool_calls=[{"index": index, "function": function} | first])


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A chat stream in canonical form: thoughts, words and calls in any order, end and usage."""
    told = [chunk(role="assistant", content="")]
    begun: set[int] = set()
    for kind in draw(st.lists(st.sampled_from("twrdc"), max_size=12)):
        if kind == "c":
            index = draw(st.integers(0, len(begun)))
            new = {} if index in begun else {"id": f"c{index}", "name": "f", "type": "function"}
            begun.add(index)
            told.append(call_delta(index, draw(words), **new))
        elif kind == "d":
            told.append(chunk(reasoning_details=[DETAIL | {"text": draw(words)}]))
        else:
            key = {"t": "reasoning_content", "w": "content", "r": "refusal"}[kind]
            told.append(chunk(**{key: draw(pieces)}))
    told.append(chunk(draw(st.sampled_from(["stop", "length", "content_filter", "tool_calls"]))))
    if draw(st.booleans()):
        told.append(chunk() | {"choices": [], "usage": USAGE})
    return told


def cut(draw: st.DrawFn, raw: bytes) -> list[Event]:
    """The events of bytes that arrive in pieces cut anywhere."""
    at = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    reader, events = SseReader(), []
    for start, end in zip([0, *at], [*at, len(raw)], strict=True):
        events += reader.feed(raw[start:end])
    return events + reader.rest()


def events_in(raw: bytes) -> list[dict[str, Any]]:
    """The JSON of a stream's events."""
    return [orjson.loads(event.data) for event in SseReader().feed(raw) if event.data != b"[DONE]"]


def said_by(told: list[dict[str, Any]], key: str) -> str:
    """The text of a stream's deltas."""
    deltas = [choice["delta"] for one in told for choice in one["choices"]]
    return "".join(delta.get(key) or "" for delta in deltas)


def reason(does: Callable[[], object]) -> PotokError | None:
    """Why something is refused, in one clear line; None when it is not; no other error passes."""
    why = None
    try:
        does()
    except PotokError as exc:
        why = exc
    assert why is None or re.fullmatch(r".+", str(why))
    return why
