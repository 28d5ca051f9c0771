"""Chat answers and chunks: how they are made, and what is read from them.

A chunk may come from any provider, so reading takes what is there and minds nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.loose import a_count, a_text, an_object, objects_among
from lib.domain.llm.wire import Json


def usage_of(prompt: int, completion: int) -> Json:
    """Tokens, as OpenAI counts them."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def answer_of(message: Json, finish: str, usage: Json, stamp: Stamp) -> Json:
    """A chat answer with one choice."""
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return _head("chat.completion", stamp) | {"choices": [choice], "usage": usage}


def chunk_of(stamp: Stamp, delta: Json, finish: str | None = None) -> Json:
    """A chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return _head("chat.completion.chunk", stamp) | {"choices": [choice], "usage": None}


def usage_chunk(stamp: Stamp, usage: Json) -> Json:
    """The last chunk of a stream."""
    return _head("chat.completion.chunk", stamp) | {"choices": [], "usage": usage}


def call_of(call_id: str, name: str, arguments: str) -> Json:
    """A tool call of a chat message."""
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def choice_in(answer: Json) -> Json:
    """The first choice of an answer or a chunk; {} when there is none."""
    choices = answer.get("choices")
    return an_object(choices[0]) if isinstance(choices, list) and choices else {}


def counts_in(answer: Json) -> tuple[int, int]:
    """Tokens of the prompt and of the completion; 0 where nobody counted."""
    usage = an_object(answer.get("usage"))
    return a_count(usage.get("prompt_tokens")), a_count(usage.get("completion_tokens"))


@dataclass(slots=True)
class Calls:
    """Tool calls, gathered from their deltas; they are whole once the stream is over."""

    _by_index: dict[int, Json] = field(default_factory=dict)

    def add(self, deltas: object) -> None:
        """Take ``delta.tool_calls`` of a chunk."""
        for delta in objects_among(deltas):
            index = delta.get("index")
            if not isinstance(index, int):  # then a name begins a call, anything else goes on
                begins = bool(an_object(delta.get("function")).get("name"))
                index = max(self._by_index, default=-1) + begins
            call = self._by_index.setdefault(index, call_of("", "", ""))
            call["id"] = call["id"] or a_text(delta.get("id"))
            function = an_object(delta.get("function"))
            call["function"]["name"] += a_text(function.get("name"))
            call["function"]["arguments"] += a_text(function.get("arguments"))

    def whole(self) -> list[Json]:
        """The calls, in the order of their indexes."""
        return [self._by_index[index] for index in sorted(self._by_index)]


def _head(kind: str, stamp: Stamp) -> Json:
    return {
        "id": f"chatcmpl-{stamp.id}",
        "object": kind,
        "created": stamp.created,
        "model": stamp.model,
    }
