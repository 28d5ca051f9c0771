"""Chat chunks as the events of a Responses stream.

An item closes when another kind begins; calls close at the end, for their pieces may alternate. A
stream that breaks ends with ``error``, which openai's SDK raises (it looks for a key ``error``),
and ``response.failed``, the end that others wait for.

Source: platform.openai.com/docs/api-reference/responses-streaming, openai 3.57 _streaming.py and
lib/streaming/responses, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.responses_items import CALL, REFUSAL, TEXT, THOUGHT, Item, Shape
from lib.domain.llm.wire import Json, sse

_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "top_p": None,
    "user": None,
}
_OF_A_TOOL = {"description": None, "parameters": None, "strict": None}  # strict readers want them
_CUT_BY = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(slots=True)
class ResponsesEncoder:
    """Makes the stream, and with it the whole response."""

    asked: Json
    stamp: Stamp
    _items: list[Item] = field(default_factory=list)
    _open: list[Item] = field(default_factory=list)
    _calls: dict[int, Item] = field(default_factory=dict)
    _out: bytearray = field(default_factory=bytearray)
    _number: int = 0
    _reason: str = ""
    _usage: Json | None = None

    def feed(self, chunk: Json) -> bytes:
        """The events of a chunk; with the first one those that open the response."""
        self._begin()
        for choice in chunk["choices"]:
            if choice.get("index", 0) == 0:
                self.add(choice["delta"], choice.get("finish_reason"))
        self._usage = chunk.get("usage") or self._usage
        return self._taken()

    def end(self) -> bytes:
        """The events that close what is open, and ``response.completed`` or ``.incomplete``."""
        self._begin()
        status = "incomplete" if self._reason in _CUT_BY else "completed"
        self._close(self._open, status)
        self._tell(status, response=self._response(status))
        return self._taken()

    def fail(self, status: int, message: str) -> bytes:
        """``error`` and ``response.failed``."""
        self._begin()
        codes = {429: "rate_limit_exceeded"}
        code = codes.get(status, "server_error" if status >= 500 else "invalid_prompt")
        error = {"code": code, "message": message}
        nested = {**error, "type": code, "param": None}
        self._send("error", {**error, "param": None, "error": nested})
        self._close(self._open, "incomplete")
        self._tell("failed", response=self._response("failed") | {"error": error})
        return self._taken()

    def whole(self, answer: Json) -> Json:
        """The response of a chat answer, without a stream."""
        choice = answer["choices"][0]
        self.add(choice["message"], choice.get("finish_reason"))
        self._usage = answer.get("usage")
        self.end()
        return self._response("incomplete" if self._reason in _CUT_BY else "completed")

    def add(self, said: Json, reason: str | None) -> None:
        """Add a delta, or a whole message."""
        details = said.get("reasoning_details") or []
        if (thought := said.get("reasoning_content")) or details:
            item = self._growing(THOUGHT)
            item.details += details
            if thought:
                item.write(thought)
        for shape, key in ((TEXT, "content"), (REFUSAL, "refusal")):
            if text := said.get(key):
                self._growing(shape).write(text)
        for at, call in enumerate(said.get("tool_calls") or ()):
            item = self._call(call.get("index", at), call)
            if arguments := call["function"].get("arguments"):
                item.write(arguments)
        self._reason = reason or self._reason

    def _growing(self, shape: Shape) -> Item:
        """The open item of a shape; a new one closes the others but calls."""
        if self._open and self._open[-1].shape is shape:
            return self._open[-1]
        self._close([item for item in self._open if item.shape is not CALL], "completed")
        if shape is THOUGHT:
            return self._opened(shape, "rs", type="reasoning", summary=[])
        return self._opened(
            shape, "msg", type="message", status="in_progress", role="assistant", content=[]
        )

    def _call(self, index: int, call: Json) -> Item:
        if index not in self._calls:
            self._close([item for item in self._open if item.shape is not CALL], "completed")
            known = {"call_id": call["id"], "name": call["function"]["name"], "arguments": ""}
            self._calls[index] = self._opened(
                CALL, "fc", type="function_call", status="in_progress", **known
            )
        return self._calls[index]

    def _opened(self, shape: Shape, prefix: str, **body: object) -> Item:
        index = len(self._items)
        body["id"] = f"{prefix}_{self.stamp.id}_{index}"
        item = Item(shape, index, body, self._tell)
        item.open()
        self._items.append(item)
        self._open.append(item)
        return item

    def _close(self, items: list[Item], status: str) -> None:
        for item in items:
            item.close(status)
        self._open = [item for item in self._open if item not in items]

    def _begin(self) -> None:
        if not self._number:
            response = self._response("in_progress")
            self._tell("created", response=response)
            self._tell("in_progress", response=response)

    def _response(self, status: str) -> Json:
        asked = {key: value for key, value in self.asked.items() if value is not None}
        return {
            **{key: asked.get(key, otherwise) for key, otherwise in _ECHOED.items()},
            "id": f"resp_{self.stamp.id}",
            "object": "response",
            "created_at": self.stamp.created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": _CUT_BY[self._reason]}
            if status == "incomplete"
            else None,
            "model": self.stamp.model,
            "output": [item.body for item in self._items if item not in self._open],
            "previous_response_id": None,
            "store": False,
            "tools": [_OF_A_TOOL | tool for tool in asked.get("tools", [])],
            "truncation": "disabled",
            "usage": None if self._usage is None else usage_from(self._usage),
        }

    def _tell(self, kind: str, **fields: object) -> None:
        self._send(f"response.{kind}", fields)

    def _send(self, kind: str, fields: Json) -> None:
        self._out += sse({"type": kind, "sequence_number": self._number, **fields}, kind)
        self._number += 1

    def _taken(self) -> bytes:
        told = bytes(self._out)
        self._out.clear()
        return told


def usage_from(usage: Json) -> Json:
    """A chat answer's usage under the names of Responses; the price, if told, is kept."""
    asked, said = (usage.get(f"{side}_tokens") or 0 for side in ("prompt", "completion"))
    read = usage.get("prompt_tokens_details") or {}
    made = usage.get("completion_tokens_details") or {}
    counts = {
        "input_tokens": asked,
        "input_tokens_details": {
            "cached_tokens": read.get("cached_tokens") or 0,
            "cache_write_tokens": read.get("cache_write_tokens") or 0,
        },
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": made.get("reasoning_tokens") or 0},
        "total_tokens": usage.get("total_tokens") or asked + said,
    }
    return counts | ({"cost": usage["cost"]} if "cost" in usage else {})
