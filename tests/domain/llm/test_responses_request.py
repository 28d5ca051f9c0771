from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.responses_client import ResponsesClient, is_responses_shaped
from lib.domain.llm.responses_items import sealed
from lib.errors import Rejected

from ..making import any_json, twisted
from .openai_making import CALL, DETAIL, TOOL, chat, reason

CLIENT = ResponsesClient()
FLAT = {"type": "function", **TOOL["function"], "strict": None}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
TOLD = {"type": "function_call_output", "call_id": "call_1", "output": "sun"}
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": sealed([DETAIL]),
}
ANSWERED = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "let me look", "annotations": []}],
}
PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
RICH = {
    "model": "m",
    "instructions": "be brief",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "look"}, PICTURE]},
        *(THOUGHT, ANSWERED, CALLED, TOLD),
    ],
    "tools": [FLAT],
    "tool_choice": {"type": "function", "name": "weather"},
    "parallel_tool_calls": False,
    "max_output_tokens": 9,
    "temperature": 0.5,
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}},
    "stream": True,
    "store": True,
    "metadata": {"a": "b"},
    "include": ["reasoning.encrypted_content"],
}


def asked(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": list(items)} | fields


def messages(*items: Any) -> Any:
    return CLIENT.chat_from(asked(*items))["messages"]


def test_a_rich_request() -> None:
    assert CLIENT.chat_from(RICH) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {
                        "type": "image_url",
                        "image_url": {"url": PICTURE["image_url"], "detail": "low"},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "let me look",
                "reasoning_content": "hm",
                "reasoning_details": [DETAIL],
                "tool_calls": [CALL],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {}, "strict": True},
        },
        "stream": True,
    }


def test_a_plain_text_is_the_users() -> None:
    assert CLIENT.chat_from({"model": "m", "input": "hello"}) == chat()
    made = CLIENT.chat_from({"model": "m", "input": "hello", "text": {"format": {"type": "text"}}})
    assert made == chat(response_format={"type": "text"})


def test_calls_side_by_side_are_one_message() -> None:
    other = CALLED | {"call_id": "call_2"}
    made = messages(CALLED, THOUGHT, other, TOLD, TOLD | {"call_id": "call_2"}, ANSWERED)
    assert [one["role"] for one in made] == ["assistant", "tool", "tool", "assistant"]
    assert [call["id"] for call in made[0]["tool_calls"]] == ["call_1", "call_2"]
    assert made[3]["content"] == "let me look"


def test_thoughts_alone_and_thoughts_sealed_elsewhere_are_dropped() -> None:
    foreign = THOUGHT | {"summary": [], "encrypted_content": "gAAAAAB"}
    user = {"role": "user", "content": "go on"}
    assert messages(THOUGHT, user) == [user]
    said = {"role": "assistant", "content": "let me look"}
    assert messages(foreign, ANSWERED, user) == [said, user]


def test_an_output_of_parts() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert messages(CALLED, TOLD | {"output": parts})[1]["content"] == "ab"
    assert len(messages(CALLED, TOLD | {"output": [*parts, PICTURE]})[1]["content"]) == 3
    file = {"type": "input_file", "file_data": "data:,x", "filename": "x"}
    made = messages({"role": "user", "content": [file]})[0]["content"]
    assert made == [{"type": "file", "file": {"file_data": "data:,x", "filename": "x"}}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "m"}, "Missing required parameter: 'input'."),
        ({"input": "hi"}, "Missing required parameter: 'model'."),
        (asked(), "Invalid value for 'input': it is empty."),
        (asked(3), "Invalid type for 'input[0]': expected an object, but got an integer."),
        (asked({"role": "tool", "content": ""}), "Invalid value for 'input[0].role': supported"),
        (asked({"role": "user", "content": 1}), "Invalid type for 'input[0].content': expected"),
        (
            asked({"role": "user", "content": [PICTURE | {"file_id": "f"}]}),
            "Unsupported: 'input[0].content[0].file_id': files are not kept here",
        ),
        (
            asked({"role": "user", "content": [{"type": "video"}]}),
            "Invalid value for 'input[0].content[0].type': supported values are 'input_text'",
        ),
        (
            asked({"role": "assistant", "content": [PICTURE]}),
            "Invalid value for 'input[0].content': an assistant's message is text.",
        ),
        (asked(CALLED | {"arguments": {}}), "Invalid type for 'input[0].arguments': expected a"),
        (asked({"type": "item_reference"}), "Unsupported: 'input[0].type': nothing is kept here"),
        (
            asked({"type": "web_search_call"}),
            "Unsupported: 'input[0].type': 'web_search_call' works at OpenAI only",
        ),
        (
            asked(TOLD, tools=[{"type": "web_search"}]),
            "Unsupported: 'tools[0].type': 'web_search' works at OpenAI only, use tools of type "
            "'function'.",
        ),
        (
            asked(TOLD, previous_response_id="resp_1"),
            "Unsupported: 'previous_response_id': nothing is kept here between requests, send the "
            "whole conversation in 'input'.",
        ),
        (asked(TOLD, conversation={"id": "c"}), "Unsupported: 'conversation': nothing is kept"),
        (asked(TOLD, background=True), "Unsupported: 'background': answers are given at once"),
        (asked(TOLD, max_output_tokens=0), "Invalid value for 'max_output_tokens': it is below"),
        (
            asked(TOLD, text={"format": {"type": "json_schema", "name": "n"}}),
            "Missing required parameter: 'text.format.schema'.",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        CLIENT.chat_from(body)
    assert str(refusal.value).startswith(words)
    param = CLIENT.error_from(400, "", str(refusal.value))["error"]["param"]
    assert param == words.split("'")[1]


def test_what_is_false_or_null_is_not_asked_for() -> None:
    body = {"model": "m", "input": "hello", "background": False, "previous_response_id": None}
    assert CLIENT.chat_from(body) == chat()


@given(twisted(RICH) | st.dictionaries(st.sampled_from([*RICH]), any_json))
def test_any_json_is_read_or_refused(body: Any) -> None:
    if isinstance(body, dict):
        assert isinstance(reason(lambda: CLIENT.chat_from(body)), Rejected | None)


@pytest.mark.parametrize(
    ("body", "shaped"),
    [
        ({"input": "hi"}, True),
        ({"input": [], "messages": []}, True),
        (chat(), False),
        (chat(input="hi"), False),
        ({}, False),
        ({"input": None}, False),
    ],
)
def test_a_body_for_responses_is_known_by_its_input(body: dict[str, Any], shaped: bool) -> None:
    assert is_responses_shaped(body) is shaped
