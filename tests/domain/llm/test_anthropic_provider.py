from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.anthropic_provider import AnthropicProvider
from lib.domain.llm.dialects import Options
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

from ..making import any_json
from .anthropic_making import PNG, bent, check_request, text

PROVIDER = AnthropicProvider()
HI = {"role": "user", "content": "Hi"}
OLD, NEW = "claude-sonnet-4-5-20250929", "claude-opus-4-6"


def asked(*messages: Json, options: Options | None = None, **fields: Any) -> Json:
    chat = {"model": OLD, "messages": list(messages) or [HI], **fields}
    return check_request(PROVIDER.request_from(chat, options or Options()))


def turns(*messages: Json) -> list[tuple[str, list[Json]]]:
    return [(turn["role"], turn["content"]) for turn in asked(*messages)["messages"]]


def call(call_id: str, arguments: Any = "{}") -> Json:
    function = {"name": "look", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def calls(*made: Json, **fields: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(made), **fields}


def result(call_id: str, content: Any = "1") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_the_least_request() -> None:
    assert asked() == {
        "model": OLD,
        "messages": [{"role": "user", "content": [text("Hi")]}],
        "max_tokens": 4096,
    }


def test_instructions_are_hoisted_and_turns_of_a_role_joined() -> None:
    request = asked(
        {"role": "system", "content": "Be brief."},
        HI,
        {"role": "user", "content": [text("Are you"), text(" "), text("there?")]},
        {"role": "developer", "content": [text("Be kind.")]},
        {"role": "assistant", "content": ""},
        HI,
    )
    assert request["system"] == "Be brief.\nBe kind."
    said = [text("Hi"), text("Are you"), text("there?"), text("Hi")]
    assert request["messages"] == [{"role": "user", "content": said}]


def test_results_are_one_turn_and_come_before_texts() -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}}
    found = turns(
        HI,
        calls(call("functions.look:0", ""), call("b", '{"at": 1}')),
        result("functions.look:0"),
        {"role": "user", "content": "Wait"},
        result("b", [text("Seen"), picture]),
    )
    source = {"type": "base64", "media_type": "image/jpeg", "data": PNG}
    seen = [text("Seen"), {"type": "image", "source": source}]
    assert found[1:] == [
        (
            "assistant",
            [
                {"type": "tool_use", "id": "functions_look_0", "name": "look", "input": {}},
                {"type": "tool_use", "id": "b", "name": "look", "input": {"at": 1}},
            ],
        ),
        (
            "user",
            [
                {"type": "tool_result", "tool_use_id": "functions_look_0", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": seen},
                text("Wait"),
            ],
        ),
    ]


def test_signed_thoughts_go_back_first_and_others_not_at_all() -> None:
    signed = {"type": "reasoning.text", "text": "Hm", "signature": "sig", "index": 0}
    kept = [
        {"type": "reasoning.text", "text": "unsigned", "index": 1},
        {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"},
        {"type": "reasoning.encrypted", "data": "blob", "index": 3},
        signed | {"text": "H"},
        {"type": "reasoning.text", "text": "m", "index": 0},
    ]
    found = turns(HI, {"role": "assistant", "content": "Yes", "reasoning_details": kept}, HI)
    assert found[1][1] == [
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        text("Yes"),
    ]


def test_a_prefill_loses_the_space_that_anthropic_refuses() -> None:
    assert turns(HI, {"role": "assistant", "content": "So: "})[1][1] == [text("So:")]


def test_pictures_by_address() -> None:
    url = {"type": "image_url", "image_url": {"url": "https://a.test/1.png", "detail": "low"}}
    source = {"type": "url", "url": "https://a.test/1.png"}
    assert turns({"role": "user", "content": [url]})[0][1] == [{"type": "image", "source": source}]


TOOL = {"type": "function", "function": {"name": "look", "strict": True}}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "look"}}},
            {"type": "tool", "name": "look"},
        ),
    ],
)
def test_tools_and_the_choice_among_them(fields: Json, wanted: Json | None) -> None:
    request = asked(tools=[TOOL], **fields)
    assert request["tools"] == [{"name": "look", "input_schema": {"type": "object"}}]
    assert request.get("tool_choice") == wanted
    assert "tool_choice" not in asked(**fields)


def test_bounds() -> None:
    assert asked(max_completion_tokens=5, max_tokens=6)["max_tokens"] == 5
    assert asked(max_tokens=6, options=Options(max_tokens=7))["max_tokens"] == 6
    assert asked(max_tokens=None, options=Options(max_tokens=7))["max_tokens"] == 7
    assert asked(stop="END")["stop_sequences"] == ["END"]
    assert asked(stop=["\n", "END"])["stop_sequences"] == ["END"]
    assert "stop_sequences" not in asked(stop="\n\n")
    assert asked(user="u")["metadata"] == {"user_id": "u"}
    assert asked(stream=True, stream_options={"include_usage": True})["stream"] is True
    assert asked(options=Options(extra={"service_tier": "auto"}))["service_tier"] == "auto"


def test_sampling() -> None:
    assert asked(temperature=1.7)["temperature"] == 1
    both = asked(temperature=0, top_p=0.5, top_k=3)
    assert (both["temperature"], both["top_k"], "top_p" in both) == (0, 3, False)
    assert asked(top_p=0.5)["top_p"] == 0.5
    plain = {"temperature", "top_p", "top_k"}
    assert not plain & asked(temperature=1, top_k=3, options=Options(temperature=False)).keys()
    assert not plain & asked(temperature=1, reasoning_effort="low").keys()


FORCED = {"tools": [TOOL], "tool_choice": "required"}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "fields", "thinking", "effort", "max_tokens"),
    [
        (NEW, {"reasoning_effort": "minimal"}, ADAPTIVE, "low", 4096 + 2048),
        ("claude-opus-5", {"reasoning_effort": "high", "max_tokens": 99}, ADAPTIVE, "high", 99),
        (NEW, {"reasoning_effort": "none"}, {"type": "disabled"}, None, 4096),
        (NEW, {"reasoning_effort": "high"} | FORCED, None, None, 4096),
        (OLD, {"reasoning_effort": "medium"}, 8192, None, 4096 + 8192),
        (OLD, {"reasoning_effort": "high", "max_tokens": 2000}, 1600, None, 2000),
        (OLD, {"reasoning_effort": "high", "max_tokens": 1000}, None, None, 1000),
        ("claude-haiku-4-5", {"reasoning_effort": "low"}, 2048, None, 4096 + 2048),
        ("claude-3-5-haiku-latest", {"reasoning_effort": "low"}, None, None, 4096),
    ],
)  # fmt: skip
def test_thinking(
    model: str, fields: Json, thinking: Any, effort: str | None, max_tokens: int
) -> None:
    request = check_request(
        PROVIDER.request_from({"model": model, "messages": [HI]} | fields, Options())
    )
    if isinstance(thinking, int):
        thinking = {"type": "enabled", "budget_tokens": thinking}
    assert request.get("thinking") == thinking
    assert request.get("output_config", {}).get("effort") == effort
    assert request["max_tokens"] == max_tokens


def test_the_table_thinks_unless_the_request_says_and_not_after_unsigned_calls() -> None:
    think = Options(think=True)
    assert asked(options=think)["thinking"]["budget_tokens"] == 8192
    assert asked(options=think, reasoning_effort="none")["thinking"] == {"type": "disabled"}
    assert "thinking" not in asked(HI, calls(call("a")), result("a"), options=think)
    signed = [{"type": "reasoning.text", "text": "Hm", "signature": "sig"}]
    again = asked(HI, calls(call("a"), reasoning_details=signed), result("a"), options=think)
    assert again["thinking"]["type"] == "enabled"


def test_a_schema_has_its_objects_closed() -> None:
    inner = {"type": "object", "additionalProperties": True}
    schema = {"type": "object", "properties": {"a": {"type": "object"}, "b": inner}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    made = asked(response_format=wanted, reasoning_effort="low")["output_config"]["format"]
    closed = {"type": "object", "additionalProperties": False}
    assert made == {
        "type": "json_schema",
        "schema": closed | {"properties": {"a": closed, "b": inner}},
    }
    assert "output_config" not in asked(response_format={"type": "text"})


SOUND = {"role": "user", "content": [{"type": "input_audio"}]}


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"n": 2}, NotForThisModel, "n=1"),
        ({"response_format": {"type": "json_object"}}, NotForThisModel, "send json_schema"),
        ({"tools": [{"type": "custom"}]}, NotForThisModel, r"tools\[0\] is no function"),
        ({"messages": [{"role": "system", "content": "x"}]}, NotForThisModel, "says anything"),
        ({"messages": [SOUND]}, NotForThisModel, "input_audio"),
        ({"messages": [HI, calls(call("a", "{"))]}, Rejected, r"messages\[1\].tool_calls\[0\]"),
        ({"messages": [HI, calls(call("a", "[]"))]}, Rejected, "no JSON object"),
        ({"messages": [{"role": "function"}]}, Rejected, "role is none of"),
        ({"max_tokens": 0}, Rejected, "max_tokens is below 1"),
        ({"reasoning_effort": "deep"}, Rejected, "reasoning_effort is none of"),
    ],
)  # fmt: skip
def test_what_is_refused(fields: Json, kind: type[Rejected], words: str) -> None:
    with pytest.raises(kind, match=words) as refused:
        PROVIDER.request_from({"model": OLD, "messages": [HI]} | fields, Options())
    assert refused.type is kind


GOOD = {
    "model": OLD,
    "messages": [
        {"role": "system", "content": [text("Be brief.")]},
        {"role": "user", "content": [text("Hi"), {"type": "image_url", "image_url": {"url": "https://a"}}]},
        calls(call("a"), reasoning_details=[{"type": "reasoning.text", "signature": "s"}]),
        result("a", [text("1")]),
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    "stop": ["END"],
    "temperature": 0.5,
    "max_tokens": 5,
    "reasoning_effort": "low",
    "user": "u",
}  # fmt: skip


@given(bent(GOOD) | st.dictionaries(st.sampled_from(sorted(GOOD)), any_json))
def test_any_chat_gives_a_request_or_is_rejected(chat: Any) -> None:
    with suppress(Rejected):
        assert isinstance(PROVIDER.request_from(chat, Options()), dict)
