"""Chat chunks as the events of an Anthropic stream.

message_start, then blocks one after the other (start, deltas, stop), message_delta, message_stop.

Source: anthropic 2.14.0 (``RawMessageStreamEvent``), read 2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lib.domain.llm.anthropic_errors import error_from
from lib.domain.llm.anthropic_shape import stop_reason_from, usage_from
from lib.domain.llm.anthropic_thoughts import block_from, merged
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.loose import a_text, an_object, object_in, objects_among
from lib.domain.llm.wire import Json, sse

_OPENINGS: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


@dataclass(slots=True)
class _Call:
    index: Any
    id: str = ""
    name: str = ""
    arguments: str = ""
    sent: int = 0
    is_open: bool = False


@dataclass(slots=True)
class AnthropicEncoder:
    """See ``Encoder``. Blocks come one at a time here, so what mixes in chat waits:

    a call is streamed while it is the last one or its arguments are no whole JSON yet; the pieces
    of those behind it, and texts after the first call, are kept until then.
    """

    stamp: Stamp
    _out: bytes = b""
    _has_begun: bool = False
    _block: int = -1
    _open: str = ""
    _details: list[Json] = field(default_factory=list)
    _is_thought_over: bool = False  # the last thought has what ends it: more is another one
    _calls: list[_Call] = field(default_factory=list)
    _at: int = 0
    _late: list[tuple[str, str]] = field(default_factory=list)
    _finish_reason: Any = None
    _usage: Any = None

    def feed(self, chunk: Json) -> bytes:
        """The events for one chunk; b"" when there is nothing to say yet."""
        self._begin()
        self._usage = chunk.get("usage") or self._usage
        choice = next(iter(objects_among(chunk.get("choices"))), {})
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        delta = an_object(choice.get("delta"))
        if thought := a_text(delta.get("reasoning_content")):
            self._say("thinking", thought)
        for detail in objects_among(delta.get("reasoning_details")):
            self._details.append(detail)
            self._is_thought_over |= bool(detail.get("signature") or detail.get("data"))
        if text := a_text(delta.get("content")) or a_text(delta.get("refusal")):
            self._say("text", text)
        for piece in objects_among(delta.get("tool_calls")):
            self._take(piece)
        self._pour()
        return self._taken()

    def end(self) -> bytes:
        """The rest, why the model stopped, and what it used."""
        self._begin()
        self._pour(is_last=True)
        for kind, text in self._late:
            self._put(kind, text)
        self._settle()
        self._close()
        reason = stop_reason_from(self._finish_reason, bool(self._calls))
        delta = {"stop_reason": reason, "stop_sequence": None}
        self._emit("message_delta", delta=delta, usage=usage_from(self._usage))
        self._emit("message_stop")
        return self._taken()

    def fail(self, status: int, message: str) -> bytes:
        """An ``error`` event."""
        return sse(error_from(status, message), "error")

    def _begin(self) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        message: Json = {
            "id": f"msg_{self.stamp.id}",
            "type": "message",
            "role": "assistant",
            "model": self.stamp.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_from(None),
        }
        self._emit("message_start", message=message)

    def _say(self, kind: str, text: str) -> None:
        if self._calls:
            self._late.append((kind, text))
        else:
            self._put(kind, text)

    def _put(self, kind: str, text: str) -> None:
        if kind == "text" or self._is_thought_over:
            self._settle()
        if self._open != kind:
            self._start(kind, _OPENINGS[kind])
        self._delta({"type": f"{kind}_delta", kind: text})

    def _settle(self) -> None:
        """Sign the thought that is open, and bring the other details that came with it."""
        for detail in merged(self._details):
            block = block_from(detail)
            if block is None:
                continue
            if block["type"] == "redacted_thinking":
                self._start("redacted_thinking", block)
            elif self._open != "thinking":
                self._start("thinking", _OPENINGS["thinking"])
                if block["thinking"]:
                    self._delta({"type": "thinking_delta", "thinking": block["thinking"]})
            if block["type"] == "thinking":
                self._delta({"type": "signature_delta", "signature": block["signature"]})
            self._close()
        self._details, self._is_thought_over = [], False

    def _take(self, piece: Json) -> None:
        index, call_id = piece.get("index"), a_text(piece.get("id"))
        known = [call for call in self._calls if call.index == index]
        # Some providers give every call index 0: another id is another call.
        if not known or (call_id and known[-1].id and known[-1].id != call_id):
            self._calls.append(_Call(index))
            known = self._calls[-1:]
        call, function = known[-1], an_object(piece.get("function"))
        call.id = call.id or call_id
        call.name = call.name or a_text(function.get("name"))
        call.arguments += a_text(function.get("arguments"))

    def _pour(self, is_last: bool = False) -> None:
        while self._at < len(self._calls):
            call = self._calls[self._at]
            if not call.is_open and (call.name or is_last):
                self._settle()
                call.is_open = True
                call_id = call.id or f"toolu_{self.stamp.id}_{self._at}"
                opening = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}}
                self._start("tool_use", opening)
            if call.is_open and call.sent < len(call.arguments):
                piece, call.sent = call.arguments[call.sent :], len(call.arguments)
                self._delta({"type": "input_json_delta", "partial_json": piece})
            is_behind = self._at + 1 < len(self._calls)
            if not is_last and not (is_behind and call.is_open and _is_whole(call.arguments)):
                return
            self._at += 1

    def _start(self, kind: str, block: Json) -> None:
        self._close()
        self._block += 1
        self._open = kind
        self._emit("content_block_start", index=self._block, content_block=block)

    def _delta(self, delta: Json) -> None:
        self._emit("content_block_delta", index=self._block, delta=delta)

    def _close(self) -> None:
        if self._open:
            self._emit("content_block_stop", index=self._block)
        self._open = ""

    def _emit(self, kind: str, **fields: Any) -> None:
        self._out += sse({"type": kind, **fields}, kind)

    def _taken(self) -> bytes:
        out, self._out = self._out, b""
        return out


def _is_whole(arguments: str) -> bool:
    return bool(arguments.strip()) and object_in(arguments) is not None
