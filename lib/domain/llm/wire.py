"""The two ways that models stream: server-sent events and JSON lines.

Source: html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11-25.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from lib.errors import Unavailable

Json = dict[str, Any]

EVENT_LIMIT_BYTES = 8_000_000  # one event: a picture in base64 at most
SSE_MEDIA = "text/event-stream"
NDJSON_MEDIA = "application/x-ndjson"

_END_BYTES = 3  # of the longest end, without its last byte
_ENDS = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Attributes:
        data: its payload: JSON, or ``[DONE]``; never empty.
        name: the SSE event's name; "" without one.
        raw: the bytes to pass on when nothing is to be translated, with their end.
    """

    data: bytes
    name: str = ""
    raw: bytes = b""


class Reader(Protocol):
    """Cuts the bytes of a stream into events, wherever they were cut on the way."""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now; raises Unavailable when one is too long."""

    def rest(self) -> list[Event]:
        """What is left at the end of the stream: a last event without its end, or nothing."""


@dataclass(slots=True)
class SseReader:
    """Server-sent events; comments, which some clients stumble over, are dropped."""

    _left: bytearray = field(default_factory=bytearray)
    _looked: int = 0  # bytes of it that have no end: looked at once, not with every piece

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now.

        Raises:
            Unavailable: one is longer than ``EVENT_LIMIT_BYTES``.
        """
        self._left += piece
        events, start = [], 0
        for end in _ENDS.finditer(self._left, self._looked):
            if (event := _event_in(bytes(self._left[start : end.start()]))) is not None:
                events.append(event)
            start = end.end()
        del self._left[:start]
        _check_limit(self._left)
        self._looked = max(len(self._left) - _END_BYTES, 0)
        return events

    def rest(self) -> list[Event]:
        """What was left without its blank line."""
        event = _event_in(bytes(self._left))
        self._left.clear()
        self._looked = 0
        return [] if event is None else [event]


@dataclass(slots=True)
class LineReader:
    """JSON lines."""

    _left: bytearray = field(default_factory=bytearray)

    def feed(self, piece: bytes) -> list[Event]:
        """The lines that are complete now.

        Raises:
            Unavailable: one is longer than ``EVENT_LIMIT_BYTES``.
        """
        if b"\n" not in piece:  # the rest is not looked at again
            self._left += piece
            _check_limit(self._left)
            return []
        *lines, left = (bytes(self._left) + piece).split(b"\n")
        self._left = bytearray(left)
        _check_limit(self._left)
        return [Event(line, raw=line + b"\n") for line in lines if line.strip()]

    def rest(self) -> list[Event]:
        """A last line without its end."""
        line = bytes(self._left)
        self._left.clear()
        return [Event(line, raw=line + b"\n")] if line.strip() else []


def sse(payload: Json | bytes, name: str = "") -> bytes:
    """An event as it is sent."""
    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    opening = f"event: {name}\n".encode() if name else b""
    return opening + b"data: " + data + b"\n\n"


def json_line(payload: Json) -> bytes:
    """A JSON line as it is sent."""
    return orjson.dumps(payload) + b"\n"


def object_from(event: Event) -> Json:
    """The JSON object of an event.

    Raises:
        Unavailable: it is none: the provider sends garbage.
    """
    try:
        found = orjson.loads(event.data)
    except orjson.JSONDecodeError as exc:
        raise Unavailable("the provider sent what is no JSON") from exc
    if not isinstance(found, dict):
        raise Unavailable("the provider sent JSON that is no object")
    return found


def _event_in(block: bytes) -> Event | None:
    name, data = "", []
    lines = [line for line in block.splitlines() if not line.startswith(b":")]
    for line in lines:
        key, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if key == b"data":
            data.append(value)
        elif key == b"event":
            name = value.decode("utf-8", "replace")
    payload = b"\n".join(data)
    return Event(payload, name, b"\n".join(lines) + b"\n\n") if payload else None


def _check_limit(left: bytearray) -> None:
    if len(left) > EVENT_LIMIT_BYTES:
        raise Unavailable(f"the provider sent an event above {EVENT_LIMIT_BYTES} bytes")
