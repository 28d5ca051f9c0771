from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.openai_client import OpenAiClient
from lib.errors import Rejected

from ..making import any_json, twisted
from .openai_making import CALL, DETAIL, STAMP, TOOL, USAGE, answer, chat, chunk, reason

CLIENT = OpenAiClient()
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
RICH = chat(
    messages=[
        {"role": "system", "content": "be brief", "name": "boss"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, PICTURE]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "reasoning_details": [DETAIL],
            "tool_calls": [CALL],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
    ],
    tools=[TOOL],
    tool_choice={"type": "function", "function": {"name": "weather"}},
    response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    stream=True,
    stream_options={"include_usage": True},
    stop=["a"],
    n=1,
    temperature=0,
)


def message(**fields: Any) -> dict[str, Any]:
    return chat(messages=[{"role": "user", "content": "hello"} | fields])


def test_a_good_body_passes_unchanged() -> None:
    assert CLIENT.chat_from(RICH) == RICH


def test_what_is_null_or_an_empty_list_of_tools_is_left_out() -> None:
    body = chat(temperature=None, tools=[], tool_choice="auto", stop=None)
    assert CLIENT.chat_from(body) == chat()


def test_flat_tools_become_deep_ones() -> None:
    flat = {"type": "function", **TOOL["function"], "strict": None}
    body = chat(tools=[flat], tool_choice={"type": "function", "name": "weather"})
    made = CLIENT.chat_from(body)
    assert made["tools"] == [TOOL]
    assert made["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Missing required parameter: 'model'."),
        (chat(model=""), "Invalid value for 'model': it is empty."),
        ({"model": "m"}, "Missing required parameter: 'messages'."),
        (chat(messages=[]), "Invalid value for 'messages': it is empty."),
        (chat(messages={}), "Invalid type for 'messages': expected an array, but got an object."),
        (
            chat(messages=["x"]),
            "Invalid type for 'messages[0]': expected an object, but got a string.",
        ),
        (
            message(role=3),
            "Invalid type for 'messages[0].role': expected a string, but got an integer.",
        ),
        (
            message(role="function"),
            "Invalid value for 'messages[0].role': supported values are 'system', 'developer', "
            "'user', 'assistant', 'tool'.",
        ),
        (
            message(content=None),
            "Invalid type for 'messages[0].content': expected a string or an array of objects, "
            "but got null.",
        ),
        (
            message(content=[{"type": "text"}]),
            "Missing required parameter: 'messages[0].content[0].text'.",
        ),
        (
            message(content=[{"type": "image_url", "image_url": {"url": 1}}]),
            "Invalid type for 'messages[0].content[0].image_url.url': expected a string, but got "
            "an integer.",
        ),
        (message(role="tool"), "Missing required parameter: 'messages[0].tool_call_id'."),
        (
            message(role="assistant", tool_calls=[{"id": "1", "function": {"name": "f"}}]),
            "Missing required parameter: 'messages[0].tool_calls[0].function.arguments'.",
        ),
        (
            message(role="assistant", function_call={"name": "f"}),
            "Unsupported: 'messages[0].function_call': it is retired, send 'tool_calls'.",
        ),
        (chat(stream="yes"), "Invalid type for 'stream': expected a boolean, but got a string."),
        (chat(n=0), "Invalid value for 'n': it is below 1."),
        (chat(n=True), "Invalid type for 'n': expected an integer, but got a boolean."),
        (chat(stop=[1]), "Invalid type for 'stop': expected a string or an array of strings"),
        (
            chat(stream_options={"include_usage": 1}),
            "Invalid type for 'stream_options.include_usage'",
        ),
        (chat(response_format={"type": "xml"}), "Invalid value for 'response_format.type': s"),
        (
            chat(response_format={"type": "json_schema"}),
            "Missing required parameter: 'response_format.json_schema'.",
        ),
        (chat(functions=[]), "Unsupported: 'functions': it is retired, send 'tools'."),
        (chat(tools=[{"type": "function"}]), "Missing required parameter: 'tools[0].name'."),
        (
            chat(tools=[{"type": "custom", "custom": {}}]),
            "Unsupported: 'tools[0].type': 'custom' works at OpenAI only",
        ),
        (chat(tool_choice="any"), "Invalid value for 'tool_choice': supported values are 'none'"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        CLIENT.chat_from(body)
    assert str(refusal.value).startswith(words)
    param = CLIENT.error_from(400, "", str(refusal.value))["error"]["param"]
    assert param == words.split("'")[1]


@given(twisted(RICH) | st.dictionaries(st.sampled_from([*RICH]), any_json) | any_json)
def test_any_json_is_read_or_refused(body: Any) -> None:
    if isinstance(body, dict):
        assert isinstance(reason(lambda: CLIENT.chat_from(body)), Rejected | None)


def test_answers_pass() -> None:
    assert CLIENT.answer_from(answer(content="hi"), RICH, STAMP) == answer(content="hi")


@pytest.mark.parametrize("asks", [True, False])
def test_usage_is_streamed_to_who_asked(asks: bool) -> None:
    encoder = CLIENT.encoder(chat(stream_options={"include_usage": asks}), STAMP)
    usage = chunk() | {"choices": [], "usage": USAGE}
    assert bool(encoder.feed(usage)) is asks
    said = encoder.feed(chunk(content="hi"))
    assert said.startswith(b'data: {"id"')
    assert said.endswith(b"}\n\n")
    assert encoder.end() == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (400, "", "invalid_request_error", None),
        (422, "", "invalid_request_error", None),
        (401, "", "authentication_error", "invalid_api_key"),
        (402, "", "insufficient_quota", "insufficient_quota"),
        (403, "", "permission_error", None),
        (404, "", "invalid_request_error", "model_not_found"),
        (404, "unknown_url", "invalid_request_error", "unknown_url"),
        (429, "", "rate_limit_error", "rate_limit_exceeded"),
        (429, "insufficient_quota", "insufficient_quota", "insufficient_quota"),
        (500, "", "server_error", None),
        (529, "overloaded", "server_error", "overloaded"),
    ],
)
def test_the_type_of_an_error_follows_its_status(
    status: int, code: str, kind: str, told: str | None
) -> None:
    error = CLIENT.error_from(status, code, "no")["error"]
    assert error == {"message": "no", "type": kind, "param": None, "code": told}


def test_a_broken_stream_ends_with_an_error_and_nothing_more() -> None:
    raw = CLIENT.encoder(chat(), STAMP).fail(502, "gone")
    assert raw.startswith(b'data: {"error":{"message":"gone","type":"server_error"')
    assert b"DONE" not in raw
