"""Chat answers and chunks of providers, checked: what comes out has the types that clients trust.

Source: openrouter.ai/docs/api/reference/errors-and-debugging, groq 1.7 chat_completion_chunk.py,
read 2026-11-25; facts of OpenRouter and Groq, 2026-11-22.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.refusals import refusal_from, said_in, status_in
from lib.domain.llm.wire import Event, Json, object_from
from lib.errors import Unavailable


def checked_answer(answer: Json, stamp: Stamp) -> Json:
    """A chat answer under the client's name for the model, its thoughts in ``reasoning_content``.

    Raises:
        PotokError: it is an error with status 200, or has no choices.
    """
    _raise_error_in(answer)
    choices = _objects(answer.get("choices"), "choices")
    if not choices:
        raise Unavailable("the provider answered without choices")
    for choice in choices:
        _raise_error_in(choice)
    read = {
        **answer,
        **_head(answer, stamp, "chat.completion"),
        "choices": [
            {
                **choice,
                "index": _whole(choice.get("index"), at),
                "finish_reason": _reason_in(choice) or "stop",
                "message": _message_from(choice, stamp),
            }
            for at, choice in enumerate(choices)
        ],
    }
    return _with_usage(read, answer.get("usage"))


@dataclass(slots=True)
class ChatDecoder:
    """Events of a stream into chunks: one ``finish_reason``, then the usage, once, in the end."""

    stamp: Stamp
    _begun: set[tuple[int, int]] = field(default_factory=set)  # calls: of which choice, which one
    _head: Json | None = None
    _usage: Any = None
    _finished: bool = False
    _done: bool = False

    def feed(self, event: Event) -> list[Json]:
        """The chunk of an event, if it has choices.

        Raises:
            PotokError: the event is an error, or garbage.
        """
        if self._done or event.data == b"[DONE]":
            self._done = True
            return []
        chunk = object_from(event)
        _raise_error_in(chunk)
        groq = chunk.get("x_groq")
        if isinstance(groq, dict):
            _raise_error_in(groq)
            self._usage = groq.get("usage") or self._usage
        self._usage = chunk.pop("usage", None) or self._usage
        choices = [self._choice_from(c) for c in _objects(chunk.get("choices"), "choices")]
        if not choices:
            return []
        self._head = _head(chunk, self.stamp, "chat.completion.chunk")
        return [{**chunk, **self._head, "choices": choices}]

    def end(self) -> list[Json]:
        """The usage, if it was told.

        Raises:
            Unavailable: the stream broke off, or said nothing.
        """
        if self._head is None or not (self._finished or self._done):
            raise Unavailable("the provider's stream broke off")
        last = []
        if not self._finished:
            stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
            last.append({**self._head, "choices": [stop]})
        if isinstance(self._usage, dict):
            last.append(_with_usage({**self._head, "choices": []}, self._usage))
        return last

    def _choice_from(self, choice: Json) -> Json:
        _raise_error_in(choice)
        reason = _reason_in(choice)
        self._finished = self._finished or bool(reason)
        index = _whole(choice.get("index"))
        delta = _with_thoughts(choice.get("delta") or {})
        if calls := _objects(delta.pop("tool_calls", None), "tool_calls"):
            delta["tool_calls"] = [self._call_from(index, at, c) for at, c in enumerate(calls)]
        return {**choice, "index": index, "delta": delta, "finish_reason": reason}

    def _call_from(self, choice: int, at: int, call: Json) -> Json:
        """A piece of a call; its first one has an id, which Dify and the SDKs go by."""
        index = _whole(call.get("index"), at)
        if (choice, index) in self._begun:
            return {**call, "index": index, "function": _function_from(call)}
        self._begun.add((choice, index))
        return {**_call_from(call, f"{self.stamp.id}_{choice}_{index}"), "index": index}


def _raise_error_in(holder: Json) -> None:
    """Raise what an answer, a chunk or a choice says of an error; its ``finish_reason`` too."""
    error = holder.get("error")
    if error or holder.get("finish_reason") == "error":
        raise refusal_from(status_in(error), said_in(holder) or "the model's answer broke off")


def _reason_in(choice: Json) -> str | None:
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) else None


def _head(answer: Json, stamp: Stamp, kind: str) -> Json:
    known, created = answer.get("id"), answer.get("created")
    return {
        "id": known if known and isinstance(known, str) else f"chatcmpl-{stamp.id}",
        "object": kind,
        "created": created if isinstance(created, int) else stamp.created,
        "model": stamp.model,
    }


def _message_from(choice: Json, stamp: Stamp) -> Json:
    message = {"role": "assistant", "content": None, **_with_thoughts(choice.get("message"))}
    if calls := _objects(message.pop("tool_calls", None), "tool_calls"):
        message["tool_calls"] = [_call_from(c, f"{stamp.id}_{at}") for at, c in enumerate(calls)]
    return message


def _with_thoughts(said: Any) -> Json:
    """A message or a delta with its texts checked, and its thoughts under one name."""
    if not isinstance(said, dict):
        raise Unavailable("the provider sent a message that is no object")
    known: Json = dict(said)
    if thought := known.pop("reasoning", None):
        known.setdefault("reasoning_content", thought)
    for key in ("content", "reasoning_content", "refusal"):
        if not isinstance(known.get(key), str | None):
            raise Unavailable(f"the provider sent a {key} that is no text")
    if details := _objects(known.pop("reasoning_details", None), "reasoning_details"):
        known["reasoning_details"] = details
    return known


def _call_from(call: Json, otherwise: str) -> Json:
    known = call.get("id")
    return {
        **call,
        "id": known if known and isinstance(known, str) else f"call_{otherwise}",
        "type": "function",
        "function": {"name": "", "arguments": "", **_function_from(call)},
    }


def _function_from(call: Json) -> Json:
    function = call.get("function") or {}
    if not isinstance(function, dict):
        raise Unavailable("the provider sent a call without a function")
    known: Json = {key: value for key, value in function.items() if value is not None}
    if not all(isinstance(known.get(key, ""), str) for key in ("name", "arguments")):
        raise Unavailable("the provider sent a call whose name or arguments are no text")
    return known


def _with_usage(read: Json, usage: Any) -> Json:
    """With the usage, its counts whole numbers; without it when there is none."""
    read.pop("usage", None)
    if not isinstance(usage, dict):
        return read
    asked, said = (_whole(usage.get(key)) for key in ("prompt_tokens", "completion_tokens"))
    total = _whole(usage.get("total_tokens"), asked + said)
    counts = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": total}
    return {**read, "usage": {**usage, **counts}}


def _objects(value: Any, name: str) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unavailable(f"the provider sent {name} that are no list of objects")
    return list(value)


def _whole(value: Any, otherwise: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
