"""The events of an Anthropic stream as chat chunks.

Source: anthropic 2.14.0 (``RawMessageStreamEvent``), read 2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lib.domain.llm.anthropic_shape import FINISH_REASONS, chat_usage_from
from lib.domain.llm.anthropic_thoughts import detail_from
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.loose import a_text, an_object
from lib.domain.llm.refusals import refusal_from, said_in, status_in
from lib.domain.llm.wire import Event, Json, object_from
from lib.errors import Unavailable


@dataclass(slots=True)
class AnthropicDecoder:
    """See ``Decoder``. A thought's detail comes whole, with its signature, when its block ends."""

    stamp: Stamp
    _block: Json = field(default_factory=dict)
    _thought: list[str] = field(default_factory=list)
    _calls: int = 0
    _details: int = 0
    _has_arguments: bool = False
    _stop_reason: str = ""
    _usage: Json = field(default_factory=dict)
    _has_ended: bool = False

    def feed(self, event: Event) -> list[Json]:
        """The chunks of an event; of one that is not known, such as ``ping``, none.

        Raises:
            PotokError: the event is an error, or garbage.
        """
        found = object_from(event)
        kind = found.get("type")
        if kind == "error":
            raise refusal_from(status_in(found.get("error")), said_in(found))
        if self._has_ended:
            return []
        if kind == "message_start":
            self._usage = an_object(an_object(found.get("message")).get("usage"))
            return [self._chunk({"role": "assistant", "content": ""})]
        if kind == "content_block_start":
            return self._start(an_object(found.get("content_block")))
        if kind == "content_block_delta":
            return self._delta(an_object(found.get("delta")))
        if kind == "content_block_stop":
            return self._stop()
        if kind == "message_delta":
            delta, usage = an_object(found.get("delta")), an_object(found.get("usage"))
            self._stop_reason = a_text(delta.get("stop_reason")) or self._stop_reason
            # Each number is of the whole answer so far; a null says nothing new.
            self._usage |= {key: value for key, value in usage.items() if value is not None}
        if kind == "message_stop":
            self._has_ended = True
            finish_reason = FINISH_REASONS.get(self._stop_reason, "stop")
            usage = chat_usage_from(self._usage)
            last = self._chunk({}) | {"choices": [], "usage": usage}
            return [self._chunk({}, finish_reason), last]
        return []

    def end(self) -> list[Json]:
        """Nothing more: ``message_stop`` brought the last chunks.

        Raises:
            Unavailable: it did not come.
        """
        if not self._has_ended:
            raise Unavailable("Anthropic's stream broke off before its end")
        return []

    def _start(self, block: Json) -> list[Json]:
        self._block, self._thought, self._has_arguments = block, [], False
        if block.get("type") == "tool_use":
            function = {"name": a_text(block.get("name")), "arguments": ""}
            call = {"id": a_text(block.get("id")), "type": "function", "function": function}
            self._calls += 1
            return [self._call_chunk(call)]
        if block.get("type") == "text":
            return self._said("content", block.get("text"))
        if block.get("type") == "thinking":
            return self._think(block.get("thinking"))
        return []

    def _delta(self, delta: Json) -> list[Json]:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._said("content", delta.get("text"))
        if kind == "thinking_delta":
            return self._think(delta.get("thinking"))
        if kind == "signature_delta":
            self._block |= {"signature": delta.get("signature")}
        if kind == "input_json_delta" and self._block.get("type") == "tool_use":
            piece = a_text(delta.get("partial_json"))
            self._has_arguments |= bool(piece)
            return [self._call_chunk({"function": {"arguments": piece}})] if piece else []
        return []

    def _stop(self) -> list[Json]:
        block, self._block = self._block, {}
        if block.get("type") == "tool_use" and not self._has_arguments:
            return [self._call_chunk({"function": {"arguments": "{}"}})]
        detail = detail_from(block | {"thinking": "".join(self._thought)}, self._details)
        if detail is None:
            return []
        self._details += 1
        return [self._chunk({"reasoning_details": [detail]})]

    def _think(self, piece: Any) -> list[Json]:
        self._thought.append(a_text(piece))
        return self._said("reasoning_content", piece)

    def _said(self, field_name: str, piece: Any) -> list[Json]:
        return [self._chunk({field_name: piece})] if a_text(piece) else []

    def _call_chunk(self, call: Json) -> Json:
        return self._chunk({"tool_calls": [{"index": self._calls - 1} | call]})

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        return {
            "id": f"chatcmpl-{self.stamp.id}",
            "object": "chat.completion.chunk",
            "created": self.stamp.created,
            "model": self.stamp.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        }
