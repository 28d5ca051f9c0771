from __future__ import annotations

from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from lib.domain.llm.dialects import Options
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.openai_provider import Kind, OpenAiProvider
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Event, sse
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable

from ..making import twisted
from .openai_making import (
    CALL,
    DETAIL,
    STAMP,
    USAGE,
    answer,
    call_delta,
    chat,
    chunk,
    cut,
    events_in,
    reason,
    said_by,
    streams,
)

PLAIN = Options()
KINDS: tuple[Kind, ...] = get_args(Kind)
THOUGHTFUL = {
    "role": "assistant",
    "content": "hi",
    "name": "bot",
    "reasoning_content": "hm",
    "reasoning_details": [DETAIL],
}


def request(kind: Kind, options: Options = PLAIN, **fields: Any) -> dict[str, Any]:
    return OpenAiProvider(kind).request_from(chat(**fields), options)


def read(*events: Any, done: bool = True) -> list[dict[str, Any]]:
    decoder = OpenAiProvider("openrouter").decoder(STAMP)
    raw = [Event(orjson.dumps(event)) for event in events] + [Event(b"[DONE]")] * done
    return [one for event in raw for one in decoder.feed(event)] + decoder.end()


@pytest.mark.parametrize("kind", KINDS)
def test_usage_is_always_asked_of_a_stream(kind: Kind) -> None:
    asked = request(kind, stream=True, stream_options={"include_usage": False})
    assert asked["stream_options"] == {"include_usage": True}
    assert "stream_options" not in request(kind, stream_options={"include_usage": True})


def test_the_price_is_asked_of_openrouter() -> None:
    assert request("openrouter")["usage"] == {"include": True}
    assert "usage" not in request("openai")


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("openai", {"role", "content", "name"}),
        ("groq", {"role", "content"}),
        ("openrouter", {"role", "content", "name", "reasoning_details"}),
    ],
)
def test_thoughts_go_back_to_openrouter_only(kind: Kind, kept: set[str]) -> None:
    assert request(kind, messages=[THOUGHTFUL])["messages"][0].keys() == kept


def test_thoughts_without_details_go_back_under_openrouters_name() -> None:
    thought = {"role": "assistant", "content": "hi", "reasoning_content": "hm"}
    sent = request("openrouter", messages=[thought])["messages"][0]
    assert sent == {"role": "assistant", "content": "hi", "reasoning": "hm"}


def test_groq_gets_only_what_it_takes() -> None:
    many = {"logprobs": True, "top_logprobs": 2, "logit_bias": {}, "top_k": 1, "reasoning": {}}
    assert request("groq", **many, n=1) == chat(n=1)
    with pytest.raises(NotForThisModel, match="n = 1"):
        request("groq", n=2)


def test_the_table_says_what_the_request_leaves_open() -> None:
    options = Options(max_tokens=9, think=False, temperature=False, extra={"provider": {"sort": 1}})
    asked = request("openai", options, temperature=1, top_p=1)
    added = {"max_completion_tokens": 9, "reasoning_effort": "none", "provider": {"sort": 1}}
    assert asked == chat() | added
    asked = request("openai", options, max_tokens=3, reasoning_effort="low")
    assert (asked["max_tokens"], asked["reasoning_effort"]) == (3, "low")
    assert "max_completion_tokens" not in asked
    asked = request("openrouter", Options(think=True), temperature=1)
    assert (asked["reasoning"], asked["temperature"]) == ({"enabled": True}, 1)
    assert request("groq", Options(think="high"))["reasoning_effort"] == "high"


def test_an_answer_is_given_under_the_clients_name() -> None:
    given_ = answer(reasoning="hm", content="hi") | {"provider": "DeepInfra"}
    made = OpenAiProvider("openrouter").chat_from(given_, STAMP)
    message = {"role": "assistant", "content": "hi", "reasoning_content": "hm"}
    expected = answer() | {"model": "potok-smart", "provider": "DeepInfra"}
    expected["choices"][0]["message"] = message
    assert made == expected


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"code": 429, "message": "slow"}}, RateLimited),
        ({"error": {"code": 402, "message": "pay"}, "choices": None}, Denied),
        ({"error": {"type": "invalid_request_error", "message": "bad"}}, Rejected),
        ({"error": {"code": "server_error", "message": "oops"}}, Unavailable),
        ({"error": "broken"}, Unavailable),
        ({}, Unavailable),
        ({"choices": []}, Unavailable),
        ({"choices": [7]}, Unavailable),
        (answer("error", content="ha"), Unavailable),
        ({"choices": [{"finish_reason": "error", "error": {"code": 429}}]}, RateLimited),
        ({"choices": [{"message": None}]}, Unavailable),
        (answer(content=["x"]), Unavailable),
        (answer(tool_calls=[{"function": {"arguments": {}}}]), Unavailable),
    ],
)
def test_an_error_in_a_200_is_an_error(body: Any, error: type[PotokError]) -> None:
    why = reason(lambda: OpenAiProvider("openrouter").chat_from(body, STAMP))
    assert isinstance(why, error)


def is_plain(body: Any) -> bool:
    """Whether orjson could have read it: it knows no half pairs and no long numbers."""
    try:
        return isinstance(orjson.loads(orjson.dumps(body)), dict)
    except TypeError:
        return False


@given(
    st.sampled_from([answer(content="a", tool_calls=[CALL]), call_delta(0, "x", id="1", name="f")])
    .flatmap(twisted)
    .filter(is_plain)
)
def test_any_json_of_a_provider_is_read_or_refused(body: Any) -> None:
    reason(lambda: OpenAiProvider("groq").chat_from(body, STAMP))
    reason(lambda: read(body))


@given(st.data(), streams())
def test_a_stream_survives_any_cut_twice(data: st.DataObject, told: list[dict[str, Any]]) -> None:
    """Provider's bytes → chunks → client's bytes → chunks: the same words, calls and usage."""
    decoder = OpenAiProvider("openai").decoder(STAMP)
    encoder = OpenAiClient().encoder(chat(stream_options={"include_usage": True}), STAMP)
    sent = b"".join(map(sse, told)) + sse(b"[DONE]")
    read = [one for event in cut(data.draw, sent) for one in decoder.feed(event)] + decoder.end()
    raw = b"".join(map(encoder.feed, read)) + encoder.end()
    assert [event.data for event in cut(data.draw, raw)][-1] == b"[DONE]"
    got = events_in(raw)
    for one in got:
        ChatCompletionChunk.model_validate(one)
    for key in ("content", "reasoning_content", "refusal"):
        assert said_by(got, key) == said_by(told, key)
    assert [one.get("usage") for one in got if not one["choices"]] == [
        one["usage"] for one in told if "usage" in one
    ]


@given(st.text(max_size=5) | st.none(), st.sampled_from(["stop", "length", "tool_calls"]))
def test_answers_are_chat_completions(content: str | None, reason: str) -> None:
    made = OpenAiProvider("groq").chat_from(
        answer(reason, content=content, tool_calls=[CALL]), STAMP
    )
    ChatCompletion.model_validate(made)


def test_usage_is_told_once_and_last_wherever_it_came() -> None:
    last = chunk("stop") | {"usage": USAGE, "x_groq": {"id": "r", "usage": USAGE}}
    told = read(
        chunk(content="hi") | {"usage": None}, last, chunk() | {"choices": [], "usage": USAGE}
    )
    assert [one.get("usage") for one in told] == [None, None, USAGE]
    assert told[-1]["choices"] == []
    assert told[1]["x_groq"]["id"] == "r"
    assert read(chunk("stop") | {"x_groq": {"usage": USAGE}})[-1]["usage"] == USAGE


def test_a_call_without_an_id_gets_one_in_its_first_piece() -> None:
    told = read(call_delta(0, "{", name="f"), call_delta(0, "}"), chunk("tool_calls"))
    first, second = (one["choices"][0]["delta"]["tool_calls"][0] for one in told[:2])
    named = {"name": "f", "arguments": "{"}
    assert first == {"index": 0, "id": "call_a1_0_0", "type": "function", "function": named}
    assert second == {"index": 0, "function": {"arguments": "}"}}


@pytest.mark.parametrize(
    ("events", "done", "error"),
    [
        ([], False, Unavailable),
        ([], True, Unavailable),
        ([{}], True, Unavailable),
        ([chunk(content="hi")], False, Unavailable),
        ([chunk(content="hi"), chunk("error")], True, Unavailable),
        ([chunk(content="hi"), {"error": {"code": 429, "message": "slow"}}], True, RateLimited),
        ([chunk("error") | {"error": {"code": "server_error"}}], True, Unavailable),
        ([{"error": {"type": "invalid_request_error"}}], True, Rejected),
        ([chunk() | {"x_groq": {"error": "stopped"}}], True, Unavailable),
        ([[]], True, Unavailable),
    ],
)
def test_a_stream_that_breaks_off_is_an_error(
    events: list[Any], done: bool, error: type[PotokError]
) -> None:
    assert isinstance(reason(lambda: read(*events, done=done)), error)


def test_a_stream_may_end_without_done_or_without_a_reason() -> None:
    assert len(read(chunk("stop"), done=False)) == 1
    assert read(chunk(content="hi"))[-1]["choices"][0]["finish_reason"] == "stop"


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(Unavailable, match="no JSON"):
        OpenAiProvider("groq").decoder(STAMP).feed(Event(b"<html>"))
