from __future__ import annotations

import json
from typing import Any

import ollama
import pytest
from hypothesis import given
from ollama import ListResponse, ShowResponse

from lib.domain.llm.chunks import answer_of, call_of, chunk_of, usage_of
from lib.domain.llm.ollama_client import (
    OllamaChatClient,
    OllamaGenerateClient,
    show_from,
    tags_from,
)
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import NDJSON_MEDIA, Json
from lib.errors import Rejected, Unavailable
from tests.domain.making import any_json, twisted

from .ollama_talk import PIXEL, STAMP, WEATHER, cut_lines, encoded, refusal_of

CHAT = OllamaChatClient()
GENERATE = OllamaGenerateClient()
CALL = {"function": {"name": "weather", "arguments": {"city": "Казань"}}}


def body(*messages: Json, **fields: Any) -> Json:
    said = list(messages) or [{"role": "user", "content": "Привет"}]
    return {"model": "fast", "messages": said, **fields}


def messages_of(*messages: Json) -> list[Json]:
    return CHAT.chat_from(body(*messages))["messages"]


def test_the_least_body_streams() -> None:
    expected = {
        "model": "fast",
        "messages": [{"role": "user", "content": "Привет"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert CHAT.chat_from(body()) == expected
    assert GENERATE.chat_from({"model": "fast", "prompt": "Привет"}) == expected
    assert CHAT.chat_from(body(stream=False))["stream"] is False
    assert CHAT.media_type == GENERATE.media_type == NDJSON_MEDIA


def test_options_become_fields_and_those_of_loading_are_left_out() -> None:
    options = {"num_ctx": 99, "num_gpu": 1, "temperature": 0.1, "repeat_penalty": 1.1, "seed": 3}
    chat = CHAT.chat_from(body(stream=False, options=options | {"num_predict": 9, "stop": ["x"]}))
    chat.pop("messages")
    assert chat == {
        "model": "fast",
        "stream": False,
        "temperature": 0.1,
        "repetition_penalty": 1.1,
        "seed": 3,
        "max_tokens": 9,
        "stop": ["x"],
    }
    assert "max_tokens" not in CHAT.chat_from(body(options={"num_predict": -1}))


@pytest.mark.parametrize(
    ("think", "effort"),
    [(None, None), (True, "medium"), (False, "none"), ("low", "low"), ("max", "max")],
)
def test_thinking(think: object, effort: str | None) -> None:
    assert CHAT.chat_from(body(think=think)).get("reasoning_effort") == effort


SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(None, None), ("", None), ("json", {"type": "json_object"}), ({"type": "object"}, SCHEMA)],
)
def test_formats(wanted: object, expected: Json | None) -> None:
    assert CHAT.chat_from(body(format=wanted)).get("response_format") == expected


def test_a_tool_and_its_answer() -> None:
    chat = CHAT.chat_from(
        body(
            {"role": "assistant", "content": "", "tool_calls": [CALL, CALL | {"id": "mine"}]},
            {"role": "tool", "content": "+5", "tool_call_id": "mine"},
            {"role": "tool", "content": "+6", "tool_name": "weather"},
            tools=[WEATHER, {"function": {"name": "clock"}}],
        )
    )
    assert chat["tools"] == [WEATHER, {"type": "function", "function": {"name": "clock"}}]
    assistant, first, second = chat["messages"]
    assert assistant["content"] is None
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_0_0", "mine"]
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"city": "Казань"}
    assert first == {"role": "tool", "content": "+5", "tool_call_id": "mine"}
    assert second == {"role": "tool", "content": "+6", "tool_call_id": "call_0_0"}


def test_answers_of_tools_without_names_take_their_turn() -> None:
    clock = {"function": {"name": "clock", "arguments": {}}}
    messages = messages_of(
        {"role": "assistant", "tool_calls": [CALL, clock, CALL]},
        {"role": "tool", "content": "12:00", "tool_name": "clock"},
        {"role": "tool", "content": "+5"},
        {"role": "tool", "content": "+6"},
    )
    ids = [message["tool_call_id"] for message in messages[1:]]
    assert ids == ["call_0_1", "call_0_0", "call_0_2"]


def test_pictures_and_thoughts() -> None:
    user, assistant = messages_of(
        {"role": "user", "content": "Что это?", "images": [PIXEL, "/9j/4AAQ"]},
        {"role": "assistant", "content": "Кот", "thinking": "Уши"},
    )
    urls = [part["image_url"]["url"] for part in user["content"][1:]]
    assert urls == [f"data:image/png;base64,{PIXEL}", "data:image/jpeg;base64,/9j/4AAQ"]
    assert user["content"][0] == {"type": "text", "text": "Что это?"}
    assert assistant == {"role": "assistant", "content": "Кот", "reasoning_content": "Уши"}


def test_generate_with_a_system_and_a_picture() -> None:
    asked = {"model": "fast", "prompt": "", "system": "Кратко", "images": [PIXEL], "raw": False}
    system, user = GENERATE.chat_from(asked)["messages"]
    assert system == {"role": "system", "content": "Кратко"}
    assert [part["type"] for part in user["content"]] == ["image_url"]


@pytest.mark.parametrize(
    "fields",
    [{"suffix": "b"}, {"raw": True}, {"template": "x"}, {"context": [1]},
     {"prompt": "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"}],
)  # fmt: skip
def test_only_ollama_goes_on_with_a_text(fields: Json) -> None:
    with pytest.raises(NotForThisModel, match="chats only"):
        GENERATE.chat_from({"model": "fast", "prompt": "a"} | fields)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (body(model=None), "`model` is missing"),
        (body({"role": "judge"}), "role"),
        (body({"role": "tool", "content": "5"}), "no call before it"),
        (body({"role": "user", "content": []}), "must be a text"),
        (body({"role": "user", "images": [1]}), "list of texts"),
        (body(think="much"), "`think` must be"),
        (body(think=[]), "`think` must be"),
        (body(format="xml"), "`format` must be"),
        (body(options=[]), "`options` must be an object"),
        (body(tools=[1]), r"`tools\[0\]` must be"),
    ],
)
def test_what_is_wrong_is_said(asked: Json, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        CHAT.chat_from(asked)


def test_an_answer() -> None:
    message = {"content": "Привет", "reasoning_content": "Хм"}
    given = answer_of(message, "length", usage_of(3, 4), STAMP)
    chat = CHAT.answer_from(given, {}, STAMP)
    assert chat == {
        "model": "qwen3-coder",
        "created_at": "2025-11-22T08:26:40Z",
        "message": {"role": "assistant", "content": "Привет", "thinking": "Хм"},
        "done": True,
        "done_reason": "length",
        "total_duration": 0,
        "load_duration": 0,
        "prompt_eval_duration": 0,
        "eval_duration": 0,
        "prompt_eval_count": 3,
        "eval_count": 4,
    }
    assert ollama.ChatResponse.model_validate(chat).message.content == "Привет"
    text = ollama.GenerateResponse.model_validate(GENERATE.answer_from(given, {}, STAMP))
    assert (text.response, text.thinking, text.done_reason) == ("Привет", "Хм", "length")


def test_arguments_that_are_no_object_are_an_error() -> None:
    broken = [call_of("c", "weather", '{"city":')]
    with pytest.raises(Unavailable, match="'weather'"):
        CHAT.answer_from(
            answer_of({"tool_calls": broken}, "tool_calls", usage_of(0, 0), STAMP), {}, STAMP
        )
    delta = {"tool_calls": [{"index": 0, **broken[0]}]}
    (last,) = cut_lines(encoded(CHAT.encoder({}, STAMP), [chunk_of(STAMP, delta)]))
    assert "weather" in json.loads(last.data)["error"]


def test_a_stream_that_breaks_ends_with_an_error() -> None:
    assert json.loads(CHAT.encoder({}, STAMP).fail(503, "busy")) == {"error": "busy"}
    assert CHAT.error_from(404, "model_not_found", "no such model") == {"error": "no such model"}


def test_tags_and_show_are_what_the_sdk_reads() -> None:
    tags = ListResponse.model_validate(tags_from(["fast", "умный"], 1_763_800_000))
    assert [model.model for model in tags.models] == ["fast", "умный"]
    assert all(model.modified_at and len(model.digest or "") == 64 for model in tags.models)
    assert ShowResponse.model_validate(show_from("fast")).capabilities == ["completion", "tools"]


GOOD = body(
    {"role": "user", "content": "a", "images": [PIXEL]},
    {"role": "assistant", "content": "", "thinking": "b", "tool_calls": [CALL]},
    {"role": "tool", "content": "c", "tool_name": "weather"},
    options={"temperature": 1, "num_predict": 5, "stop": ["x"]},
    tools=[WEATHER],
    think=True,
    format={"type": "object"},
    stream=True,
)
GOOD_PROMPT = {key: value for key, value in GOOD.items() if key != "messages"} | {
    "prompt": "a",
    "system": "b",
    "suffix": "",
    "images": [PIXEL],
}


def test_the_good_bodies_are_good() -> None:
    assert refusal_of(CHAT.chat_from, GOOD) is None
    assert refusal_of(GENERATE.chat_from, GOOD_PROMPT) is None


@given(twisted(GOOD) | any_json, twisted(GOOD_PROMPT) | any_json)
def test_a_twisted_body_is_read_or_refused(chat: Any, generate: Any) -> None:
    refusal_of(CHAT.chat_from, chat)
    refusal_of(GENERATE.chat_from, generate)


@given(any_json)
def test_an_encoder_minds_no_garbage(garbage: Any) -> None:
    for chunk in ({"choices": garbage}, {"choices": [{"delta": garbage}], "usage": garbage}):
        for client in (CHAT, GENERATE):
            assert encoded(client.encoder({}, STAMP), [chunk]).endswith(b"\n")
