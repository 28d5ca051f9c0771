from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from lib.domain.llm.dialects import Options
from lib.domain.llm.ollama_provider import OllamaProvider
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected
from tests.domain.making import any_json, twisted

from .ollama_talk import PIXEL, WEATHER, chat, refusal_of

NONE = Options()
CLOCK: Json = {"type": "function", "function": {"name": "clock"}}
NAMED = {"type": "function", "function": {"name": "clock"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":1}'}}


def asked(table: Options = NONE, /, **fields: Any) -> Json:
    return OllamaProvider().request_from(chat() | fields, table)


def messages_of(*messages: Json) -> list[Json]:
    return OllamaProvider().request_from(chat(*messages), NONE)["messages"]


def test_the_least_request_says_that_it_does_not_stream() -> None:
    assert asked() == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "Привет"}],
        "stream": False,
        "options": {},
    }


def test_num_ctx_and_keep_alive_are_the_tables_alone() -> None:
    table = Options(num_ctx=16_384, keep_alive="30m")
    request = asked(table, num_ctx=99, options={"num_ctx": 99}, keep_alive=0, stream=True)
    assert request["options"] == {"num_ctx": 16_384}
    assert request["keep_alive"] == "30m"
    assert request["stream"] is True


def test_knobs_are_passed_on_only_when_they_are_given() -> None:
    given = {
        "temperature": 0.2,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "seed": 7,
        "frequency_penalty": 0.5,
        "presence_penalty": 0,
    }
    request = asked(**given, repetition_penalty=1.1, max_tokens=64, stop="END", logprobs=True)
    assert request["options"] == given | {
        "repeat_penalty": 1.1,
        "num_predict": 64,
        "stop": ["END"],
    }
    assert asked(temperature=None, stop=None, max_tokens=None)["options"] == {}


def test_what_the_table_says_besides() -> None:
    table = Options(
        max_tokens=100,
        temperature=False,
        extra={"truncate": False, "options": {"num_gpu": 1, "seed": 1}},
    )
    request = asked(table, temperature=1, top_p=1, top_k=1, min_p=0.1, seed=2)
    assert request["options"] == {"num_gpu": 1, "seed": 2, "min_p": 0.1, "num_predict": 100}
    assert request["truncate"] is False
    assert asked(table, max_completion_tokens=5, max_tokens=6)["options"]["num_predict"] == 5


@pytest.mark.parametrize(
    ("effort", "table", "think"),
    [
        (None, None, None),
        (None, False, False),
        (None, True, True),
        (None, "high", "high"),
        ("none", None, False),
        ("none", "high", False),
        ("low", True, True),
        ("high", False, True),
        ("low", "high", "low"),
        ("minimal", "medium", "low"),
        ("xhigh", "medium", "max"),
        ("medium", None, None),  # a model that can think does anyway, any other refuses true
    ],
)
def test_thinking(effort: str | None, table: bool | str | None, think: object) -> None:
    assert asked(Options(think=table), reasoning_effort=effort).get("think") == think


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
         {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, "json"),
    ],
)  # fmt: skip
def test_formats(wanted: Json | None, expected: object) -> None:
    assert asked(response_format=wanted).get("format") == expected


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ["weather", "clock"]),
        ("auto", ["weather", "clock"]),
        ("required", ["weather", "clock"]),
        ("none", []),
        (NAMED, ["clock"]),
    ],
)
def test_tools(choice: object, names: list[str]) -> None:
    tools = asked(tools=[WEATHER, CLOCK], tool_choice=choice).get("tools", [])
    assert [tool["function"]["name"] for tool in tools] == names


def test_messages() -> None:
    parts = [
        {"type": "text", "text": "Что это?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "text", "text": "И где?"},
    ]
    assert messages_of(
        {"role": "developer", "content": "Кратко"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "reasoning_content": "Хм", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "+5"},
    ) == [
        {"role": "system", "content": "Кратко"},
        {"role": "user", "content": "Что это?\nИ где?", "images": [PIXEL]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Хм",
            "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": {"city": 1}}}],
        },
        {"role": "tool", "content": "+5", "tool_call_id": "c1", "tool_name": "weather"},
    ]


def test_a_tools_answer_whose_call_was_cut_off_passes_without_its_name() -> None:
    (message,) = messages_of({"role": "tool", "tool_call_id": "lost", "content": "+5"})
    assert message == {"role": "tool", "content": "+5", "tool_call_id": "lost"}


def test_empty_arguments_are_no_arguments() -> None:
    call = {"id": "c", "function": {"name": "clock", "arguments": ""}}
    (message,) = messages_of({"role": "assistant", "tool_calls": [call]})
    assert message["tool_calls"][0]["function"]["arguments"] == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n": 2}, "one answer"),
        ({"functions": [{}]}, "send `tools`"),
        ({"tools": [{"type": "web_search"}]}, "knows functions only"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "text and image"),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]},
            "send it as data:image",
        ),
    ],
)  # fmt: skip
def test_what_another_model_may_do(fields: Json, words: str) -> None:
    with pytest.raises(NotForThisModel, match=words):
        asked(**fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": ""}, "`model` is missing"),
        ({"messages": []}, "`messages` is missing"),
        ({"messages": ["Привет"]}, r"`messages\[0\]` must be an object"),
        ({"messages": [{"role": "judge"}]}, r"`messages\[0\]\.role` must be"),
        ({"messages": [{"role": "user", "content": 5}]}, r"`messages\[0\]\.content` must be"),
        ({"temperature": "hot"}, "`temperature` must be a number"),
        ({"max_tokens": True}, "`max_tokens` must be a whole number"),
        ({"stop": [1]}, "`stop` must be a text or a list"),
        ({"reasoning_effort": "huge"}, "`reasoning_effort` must be"),
        ({"tool_choice": "some"}, "`tool_choice` must be"),
        ({"tool_choice": NAMED}, "not among `tools`"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [
                {"function": {"name": "f", "arguments": "[1]"}}]}]},
            "arguments of 'f' are no JSON object",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(fields: Json, words: str) -> None:
    with pytest.raises(Rejected, match=words) as refused:
        asked(**fields)
    assert type(refused.value) is Rejected


GOOD = chat(
    {"role": "system", "content": "a"},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:;base64,aa"}}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "b"},
    tools=[WEATHER],
    tool_choice=NAMED | {"function": {"name": "weather"}},
    response_format={"type": "json_schema", "json_schema": {"schema": {}}},
    reasoning_effort="low",
    stop=["x"],
    temperature=1,
    max_tokens=5,
)


def test_the_good_body_is_good() -> None:
    assert refusal_of(OllamaProvider().request_from, GOOD, NONE) is None


@given(twisted(GOOD))
def test_a_twisted_body_is_read_or_refused(body: Any) -> None:
    refusal_of(OllamaProvider().request_from, body, NONE)


@given(any_json)
def test_garbage_is_refused(garbage: Any) -> None:
    assert refusal_of(OllamaProvider().request_from, {"model": "m", "messages": garbage}, NONE)
