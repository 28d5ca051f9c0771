"""Chat answers and chunks in the shape that Ollama gives its clients.

Source: types of ollama 0.6.3; facts of Ollama's native stream, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lib.domain.llm.chunks import Calls, choice_in, counts_in
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.loose import a_text, an_object, object_in, objects_among
from lib.domain.llm.wire import Json, json_line
from lib.errors import Unavailable

_UNMEASURED = {  # nanoseconds
    "total_duration": 0,
    "load_duration": 0,
    "prompt_eval_duration": 0,
    "eval_duration": 0,
}


def iso_of(created: int) -> str:
    """A time as Ollama writes it, from seconds since 1970."""
    return datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of Ollama's doors answers.

    Attributes:
        is_chat: whether a message is answered, as ``/api/chat`` does; else ``response``.
        stamp: of the answer.
    """

    is_chat: bool
    stamp: Stamp

    def line(
        self, text: str, thought: str = "", calls: Iterable[Json] = (), **more: object
    ) -> Json:
        """A line of a stream, or with ``done`` the whole answer.

        Raises:
            Unavailable: a call's arguments are no JSON object: the model wrote garbage.
        """
        said: Json = {"content" if self.is_chat else "response": text}
        if thought:
            said["thinking"] = thought
        if self.is_chat:
            if called := [_call_from(call) for call in calls]:
                said["tool_calls"] = called
            said = {"message": {"role": "assistant", **said}}
        head = {"model": self.stamp.model, "created_at": iso_of(self.stamp.created)}
        return {**head, **said, "done": False, **more}

    def answer(self, answer: Json) -> Json:
        """A whole answer.

        Raises:
            Unavailable: a call's arguments are no JSON object: the model wrote garbage.
        """
        choice = choice_in(answer)
        message = an_object(choice.get("message"))
        return self.line(
            a_text(message.get("content")),
            a_text(message.get("reasoning_content")),
            objects_among(message.get("tool_calls")),
            **done_with(a_text(choice.get("finish_reason")), counts_in(answer)),
        )


def done_with(finish: str, counts: tuple[int, int]) -> Json:
    """What the last line of a stream has over the others."""
    return {
        "done": True,
        "done_reason": "length" if finish == "length" else "stop",
        **_UNMEASURED,
        "prompt_eval_count": counts[0],
        "eval_count": counts[1],
    }


@dataclass(slots=True)
class LineEncoder:
    """Chat chunks into Ollama's lines; tool calls are held until they are whole."""

    shape: Shape
    _calls: Calls = field(default_factory=Calls)
    _finish: str = ""
    _counts: tuple[int, int] = (0, 0)

    def feed(self, chunk: Json) -> bytes:
        """The line of a chunk; b"" when there is nothing to say yet."""
        choice = choice_in(chunk)
        delta = an_object(choice.get("delta"))
        self._calls.add(delta.get("tool_calls"))
        self._finish = a_text(choice.get("finish_reason")) or self._finish
        if chunk.get("usage"):
            self._counts = counts_in(chunk)
        text, thought = a_text(delta.get("content")), a_text(delta.get("reasoning_content"))
        return json_line(self.shape.line(text, thought)) if text or thought else b""

    def end(self) -> bytes:
        """The tool calls, and the line that says ``done``; an error if a call is garbage."""
        lines = []
        try:
            if calls := self._calls.whole():
                lines.append(self.shape.line("", calls=calls))
        except Unavailable as exc:
            return self.fail(502, str(exc))
        lines.append(self.shape.line("", **done_with(self._finish, self._counts)))
        return b"".join(json_line(line) for line in lines)

    def fail(self, status: int, message: str) -> bytes:
        """The line that ends a stream that broke."""
        return json_line({"error": message})


def _call_from(call: Json) -> Json:
    function = an_object(call.get("function"))
    name = a_text(function.get("name"))
    arguments = object_in(a_text(function.get("arguments")))
    if arguments is None:
        raise Unavailable(f"the model called {name[:64]!r} with what is no JSON object")
    return {"id": a_text(call.get("id")), "function": {"name": name, "arguments": arguments}}
