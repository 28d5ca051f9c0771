from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from lib.domain.llm.ollama_answers import LineDecoder, message_of_generate
from lib.domain.llm.ollama_provider import OllamaProvider
from lib.domain.llm.wire import Event, Json
from lib.errors import PotokError, RateLimited, Rejected, Unavailable
from tests.domain.making import any_json, twisted

from .ollama_talk import STAMP, decoded, lines, refusal_of, told

COUNTS = {"prompt_eval_count": 11, "eval_count": 7}
CALLS = [
    {"function": {"name": "weather", "arguments": {"city": "Казань"}}},
    {"id": "theirs", "function": {"name": "clock", "arguments": {}}},
]


def answer(done_reason: str = "stop", **message: Any) -> Json:
    said = {"role": "assistant", "content": "Привет", **message}
    return {"model": "q", "message": said, "done": True, "done_reason": done_reason, **COUNTS}


def line(text: str = "", **message: Any) -> Json:
    return {"model": "q", "message": {"role": "assistant", "content": text, **message}}


def last(reason: str = "stop") -> Json:
    return line() | {"done": True, "done_reason": reason, **COUNTS}


def chat_of(given: Json) -> Json:
    chat = OllamaProvider().chat_from(given, STAMP)
    ChatCompletion.model_validate(chat)
    return chat


def stream_of(*payloads: Json) -> list[Json]:
    chunks = decoded(OllamaProvider().decoder(STAMP), lines(*payloads))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
    return chunks


def test_an_answer() -> None:
    chat = chat_of(answer(thinking="Поздороваться"))
    assert chat["id"] == "chatcmpl-a1b2c3"
    assert (chat["model"], chat["created"]) == ("qwen3-coder", 1_763_800_000)
    assert chat["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    (choice,) = chat["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {
        "role": "assistant",
        "content": "Привет",
        "refusal": None,
        "reasoning_content": "Поздороваться",
    }


@pytest.mark.parametrize(
    ("reason", "finish"), [("stop", "stop"), ("length", "length"), ("load", "stop"), ("", "stop")]
)
def test_why_it_ended(reason: str, finish: str) -> None:
    assert chat_of(answer(reason))["choices"][0]["finish_reason"] == finish
    assert told(stream_of(last(reason)))["finish"] == [finish]


def test_tool_calls_are_given_ids() -> None:
    (choice,) = chat_of(answer(content="", tool_calls=CALLS))["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    calls = choice["message"]["tool_calls"]
    assert [call["id"] for call in calls] == ["call_a1b2c3_0", "call_a1b2c3_1"]
    assert calls[0]["function"] == {"name": "weather", "arguments": '{"city":"Казань"}'}
    assert calls[1]["function"] == {"name": "clock", "arguments": "{}"}


def test_a_stream() -> None:
    chunks = stream_of(line(thinking="Хм"), line("При"), line("вет"), last("length"))
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"] == []
    assert told(chunks) == {
        "text": "Привет",
        "thought": "Хм",
        "calls": [],
        "finish": ["length"],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def test_a_stream_with_tool_calls_in_two_lines_counts_on() -> None:
    chunks = stream_of(line(tool_calls=CALLS), line(tool_calls=CALLS[:1]), last())
    everything = told(chunks)
    assert [name for name, _ in everything["calls"]] == ["weather", "clock", "weather"]
    assert everything["finish"] == ["tool_calls"]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    ids = [call["id"] for delta in deltas for call in delta.get("tool_calls", [])]
    assert ids == ["call_a1b2c3_0", "call_a1b2c3_1", "call_a1b2c3_2"]


def test_a_line_of_generate() -> None:
    decoder = LineDecoder(STAMP, message_of_generate)
    chunks = decoded(decoder, lines({"response": "re"}, {"response": "turn", "done": True}))
    assert told(chunks)["text"] == "return"


def test_what_follows_the_last_line_is_left_out() -> None:
    assert told(stream_of(line("а"), last(), line("б")))["text"] == "а"


@pytest.mark.parametrize("payloads", [[], [line("При")], [line("При") | {"done": "yes"}]])
def test_a_stream_that_breaks_off_is_no_answer(payloads: list[Json]) -> None:
    with pytest.raises(Unavailable, match="broke off"):
        stream_of(*payloads)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ("model runner has unexpectedly stopped", Unavailable, "unexpectedly stopped"),
        ({"code": 429, "message": "slow down"}, RateLimited, "slow down"),
        ({"type": "invalid_request_error", "message": "bad"}, Rejected, "bad"),
    ],
)
def test_an_error_after_status_200(error: object, kind: type[PotokError], words: str) -> None:
    with pytest.raises(kind, match=words):
        chat_of({"error": error})
    with pytest.raises(kind, match=words):
        stream_of(line("При"), {"error": error})


@pytest.mark.parametrize("given", [{}, {"message": None}, answer() | {"done": False}])
def test_what_is_no_answer(given: Json) -> None:
    with pytest.raises(Unavailable, match="not whole"):
        chat_of(given)


@pytest.mark.parametrize("data", [b"<html>", b"[1]", b'{"message":'])
def test_garbage_in_a_stream(data: bytes) -> None:
    with pytest.raises(Unavailable, match="the provider sent"):
        OllamaProvider().decoder(STAMP).feed(Event(data))


@given(twisted(answer(thinking="a", tool_calls=CALLS)) | any_json)
def test_a_twisted_answer_is_an_answer_or_an_error(given: Any) -> None:
    refusal_of(chat_of, given, error=PotokError)
