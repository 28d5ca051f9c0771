"""Chats, answers and streams for the tests of Ollama's dialect, and what is read back from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import strategies as st

from lib.domain.llm.chunks import answer_of, call_of, chunk_of, usage_chunk, usage_of
from lib.domain.llm.dialects import Decoder, Encoder, Stamp
from lib.domain.llm.loose import object_in
from lib.domain.llm.wire import Event, Json, LineReader
from lib.errors import PotokError, Rejected

STAMP = Stamp(id="a1b2c3", created=1_763_800_000, model="qwen3-coder")
PIXEL = "iVBORw0KGgo="
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def chat(*messages: Json, **fields: Any) -> Json:
    """A chat request; a user's «Привет» when no messages are given."""
    said = list(messages) or [{"role": "user", "content": "Привет"}]
    return {"model": "qwen3:8b", "messages": said, **fields}


def lines(*payloads: Json) -> list[Event]:
    return [Event(orjson.dumps(payload)) for payload in payloads]


def decoded(decoder: Decoder, events: Iterable[Event]) -> list[Json]:
    chunks = [chunk for event in events for chunk in decoder.feed(event)]
    return chunks + decoder.end()


def encoded(encoder: Encoder, chunks: Iterable[Json]) -> bytes:
    return b"".join(encoder.feed(chunk) for chunk in chunks) + encoder.end()


def cut_lines(stream: bytes, cuts: Iterable[int] = ()) -> list[Event]:
    """The events of a stream that arrives in pieces."""
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    reader = LineReader()
    pieces = [stream[start:end] for start, end in pairwise(places)]
    return [event for piece in pieces for event in reader.feed(piece)] + reader.rest()


def told(chunks: Iterable[Json]) -> dict[str, Any]:
    """What a stream of chunks says in all."""
    all_told: dict[str, Any] = {"text": "", "thought": "", "calls": [], "finish": [], "usage": None}
    for chunk in chunks:
        all_told["usage"] = chunk["usage"] or all_told["usage"]
        for choice in chunk["choices"]:
            delta = choice["delta"]
            all_told["text"] += delta.get("content") or ""
            all_told["thought"] += delta.get("reasoning_content") or ""
            all_told["finish"] += [choice["finish_reason"]] * bool(choice["finish_reason"])
            for call in delta.get("tool_calls", []):
                assert call["index"] == len(all_told["calls"])
                assert call["type"] == "function"
                assert call["id"]
                function = call["function"]
                all_told["calls"].append((function["name"], json.loads(function["arguments"])))
    return all_told


def refusal_of(
    read: Callable[..., Json], *given: Any, error: type[PotokError] = Rejected
) -> str | None:
    """Why a body or an answer is refused, in one line; None when it is read, or is no object."""
    if not isinstance(given[0], dict):
        return None
    try:
        found = read(*given)
    except error as refused:
        reason = str(refused)
    else:
        assert isinstance(found, dict)
        return None
    assert reason
    assert "\n" not in reason
    return reason


words = st.text(max_size=30)
names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(words, values, max_size=4)
usages = st.builds(usage_of, st.integers(0, 10**6), st.integers(0, 10**6))


@st.composite
def turns(draw: st.DrawFn) -> list[Json]:
    """Messages of a chat in which every call of a tool is answered."""
    messages: list[Json] = []
    for n in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["system", "user", "pictures", "assistant", "calls"]))
        if kind == "pictures":
            url = {"url": f"data:image/png;base64,{PIXEL}"}
            parts: list[Json] = [{"type": "image_url", "image_url": url}]
            text = draw(words)
            said = [{"type": "text", "text": text}] if text else []
            messages.append({"role": "user", "content": said + parts})
        elif kind == "calls":
            calls = [
                call_of(f"call_{n}_{i}", draw(names), orjson.dumps(draw(arguments)).decode())
                for i in range(draw(st.integers(1, 3)))
            ]
            messages.append(
                {"role": "assistant", "content": draw(words) or None, "tool_calls": calls}
            )
            answers = [
                {"role": "tool", "content": draw(words), "tool_call_id": call["id"]}
                for call in calls
            ]
            messages += draw(st.permutations(answers))
        else:
            messages.append({"role": kind, "content": draw(words)})
            if kind == "assistant" and (thought := draw(words)):
                messages[-1]["reasoning_content"] = thought
    return messages


@st.composite
def answers(draw: st.DrawFn) -> Json:
    """A chat answer of some provider."""
    calls = [
        call_of(f"id_{i}", draw(names), orjson.dumps(draw(arguments)).decode())
        for i in range(draw(st.integers(0, 2)))
    ]
    message: Json = {"role": "assistant", "content": draw(words)}
    if thought := draw(words):
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length"]))
    return answer_of(message, finish, draw(usages), STAMP)


@st.composite
def streams(draw: st.DrawFn, with_calls: bool = True) -> list[Json]:
    """The chunks of some provider's stream; arguments of tools come in pieces."""
    pieces = draw(st.lists(words, max_size=4))
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in draw(st.lists(words, max_size=2))]
    deltas += [{"content": piece} for piece in pieces]
    count = draw(st.integers(0, 2)) if with_calls else 0
    for index in range(count):
        first = call_of(f"id_{index}", draw(names), "")
        deltas.append({"tool_calls": [{"index": index, **first}]})
        written = orjson.dumps(draw(arguments)).decode()
        middle = draw(st.integers(0, len(written)))
        for part in (written[:middle], written[middle:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    finish = "tool_calls" if count else draw(st.sampled_from(["stop", "length"]))
    chunks = [chunk_of(STAMP, delta) for delta in deltas] + [chunk_of(STAMP, {}, finish)]
    return [*chunks, usage_chunk(STAMP, draw(usages))]


def calls_in(message: Json) -> list[tuple[str, Any]]:
    """The names and the arguments of a message's tool calls."""
    functions = [call["function"] for call in message.get("tool_calls", [])]
    return [(each["name"], object_in(each["arguments"])) for each in functions]
