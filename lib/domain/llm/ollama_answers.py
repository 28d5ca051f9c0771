"""What Ollama answers, as chat answers and chunks: of ``/api/chat`` and of ``/api/generate``.

Source: facts of Ollama's native stream (source fb30760), read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lib.domain.llm.checked import written
from lib.domain.llm.chunks import answer_of, call_of, chunk_of, usage_chunk, usage_of
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.loose import a_count, a_text, an_object, objects_among
from lib.domain.llm.refusals import refusal_from, said_in, status_in
from lib.domain.llm.wire import Event, Json, object_from
from lib.errors import Unavailable

MessageOf = Callable[[Json], Json]


def message_of_chat(line: Json) -> Json:
    """What a line of ``/api/chat`` says, as its message."""
    return an_object(line.get("message"))


def message_of_generate(line: Json) -> Json:
    """What a line of ``/api/generate`` says, as a message."""
    return {"content": line.get("response"), "thinking": line.get("thinking")}


def check_no_error(line: Json) -> None:
    """Raise what an answer with status 200 says of an error; Ollama finds some that late."""
    if error := line.get("error"):
        raise refusal_from(status_in(error), said_in(line))


def chat_answer_from(answer: Json, message_of: MessageOf, stamp: Stamp) -> Json:
    """The chat answer of a whole answer.

    Raises:
        PotokError: it is an error, or not whole.
    """
    check_no_error(answer)
    if answer.get("done") is not True:
        raise Unavailable("Ollama's answer is not whole")
    said = message_of(answer)
    calls = _calls_in(said, stamp, 0)
    message: Json = {"role": "assistant", "content": a_text(said.get("content")), "refusal": None}
    if thought := a_text(said.get("thinking")):
        message["reasoning_content"] = thought
    if calls:
        message |= {"tool_calls": calls, "content": message["content"] or None}
    return answer_of(message, _finish_of(answer, bool(calls)), _usage_in(answer), stamp)


@dataclass(slots=True)
class LineDecoder:
    """Lines of a stream into chat chunks; tool calls arrive whole."""

    stamp: Stamp
    message_of: MessageOf
    _begun: bool = False
    _done: bool = False
    _calls: int = 0

    def feed(self, event: Event) -> list[Json]:
        """The chunks of a line.

        Raises:
            PotokError: it is an error, or garbage.
        """
        line = object_from(event)
        check_no_error(line)
        if self._done:
            return []
        deltas = self._deltas_in(self.message_of(line))
        if not self._begun:
            self._begun = True
            deltas.insert(0, {"role": "assistant", "content": ""})
        chunks = [chunk_of(self.stamp, delta) for delta in deltas]
        if line.get("done") is True:
            self._done = True
            chunks.append(chunk_of(self.stamp, {}, _finish_of(line, self._calls > 0)))
            chunks.append(usage_chunk(self.stamp, _usage_in(line)))
        return chunks

    def end(self) -> list[Json]:
        """Nothing more.

        Raises:
            Unavailable: the stream broke off before its last line.
        """
        if not self._done:
            raise Unavailable("Ollama's stream broke off before its end")
        return []

    def _deltas_in(self, said: Json) -> list[Json]:
        deltas: list[Json] = []
        if thought := a_text(said.get("thinking")):
            deltas.append({"reasoning_content": thought})
        if text := a_text(said.get("content")):
            deltas.append({"content": text})
        for call in _calls_in(said, self.stamp, self._calls):
            deltas.append({"tool_calls": [{"index": self._calls, **call}]})
            self._calls += 1
        return deltas


def _calls_in(said: Json, stamp: Stamp, first: int) -> list[Json]:
    """Tool calls; with ids of ours, for many versions of Ollama give none."""
    functions = [an_object(call.get("function")) for call in objects_among(said.get("tool_calls"))]
    return [
        call_of(
            f"call_{stamp.id}_{place}",
            a_text(function.get("name")),
            written(an_object(function.get("arguments"))),
        )
        for place, function in enumerate(functions, first)
    ]


def _finish_of(line: Json, has_calls: bool) -> str:
    if has_calls:
        return "tool_calls"
    return "length" if line.get("done_reason") == "length" else "stop"


def _usage_in(line: Json) -> Json:
    return usage_of(a_count(line.get("prompt_eval_count")), a_count(line.get("eval_count")))
