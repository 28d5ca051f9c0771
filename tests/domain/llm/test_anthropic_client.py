from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.anthropic_client import AnthropicClient, count_tokens_estimate
from lib.domain.llm.anthropic_thoughts import without_foreign_thoughts
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

from ..making import any_json
from .anthropic_making import PNG, bent, check_request, text

CLIENT = AnthropicClient()
BASE64 = {"type": "base64", "media_type": "image/png", "data": PNG}
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
TOOL = {"name": "look", "input_schema": {"type": "object"}}


def body(*messages: Json, **fields: Any) -> Json:
    turns = list(messages) or [{"role": "user", "content": "Hi"}]
    return {"model": "claude-at-home", "max_tokens": 99, "messages": turns, **fields}


def chat(*messages: Json, **fields: Any) -> Json:
    return CLIENT.chat_from(check_request(body(*messages, **fields)))


def said_by(role: str, *blocks: Json) -> list[Json]:
    return chat({"role": role, "content": list(blocks)})["messages"]


def test_claude_code_s_request() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    found = chat(
        system=[
            text("x-anthropic-billing-header: cc_version=2.1.37; cch=fa690;"),
            text("You are Claude Code.", **cached),
            text("Be brief.", **cached),
        ],
        tools=[{**TOOL, "description": "Looks.", **cached}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        metadata={"user_id": "u" * 150},
        stop_sequences=["END"],
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
        temperature=1,
        top_p=0.5,
        top_k=5,
        stream=True,
    )
    function = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    assert found == {
        "model": "claude-at-home",
        "messages": [
            {"role": "system", "content": "You are Claude Code.\nBe brief."},
            {"role": "user", "content": "Hi"},
        ],
        "max_tokens": 99,
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 5,
        "stop": ["END"],
        "user": "u" * 64,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
    }


def test_results_become_messages_of_their_own_before_what_is_said_next() -> None:
    found = said_by(
        "user",
        {"type": "tool_result", "tool_use_id": "a", "content": [text("1"), text("2")]},
        {"type": "tool_result", "tool_use_id": "b", "content": "no such file", "is_error": True},
        {"type": "tool_result", "tool_use_id": "c"},
        {
            "type": "tool_result",
            "tool_use_id": "d",
            "content": [text("Seen:"), {"type": "image", "source": BASE64}],
        },
        text("And now?"),
    )
    assert found == [
        {"role": "tool", "tool_call_id": "a", "content": "1\n2"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: no such file"},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {
            "role": "tool",
            "tool_call_id": "d",
            "content": "Seen:\n(its pictures are in the next message)",
        },
        {
            "role": "user",
            "content": [text("The pictures of tool result d:"), PICTURE, text("And now?")],
        },
    ]


def test_pictures_and_documents() -> None:
    plain = {"type": "text", "media_type": "text/plain", "data": "All of it."}
    blocks = {"type": "content", "content": [text("In parts.")]}
    found = said_by(
        "user",
        {"type": "image", "source": BASE64},
        {"type": "image", "source": {"type": "url", "url": "https://a.test/1.png"}},
        {"type": "document", "title": "Plan", "source": plain},
        {"type": "document", "source": blocks},
    )
    by_url = {"type": "image_url", "image_url": {"url": "https://a.test/1.png"}}
    parts = [PICTURE, by_url, text("Plan\nAll of it."), text("In parts.")]
    assert found == [{"role": "user", "content": parts}]


def test_thoughts_and_calls_of_an_earlier_answer() -> None:
    gemini = {"type": "reasoning.encrypted", "data": "x", "format": "google-gemini-v1", "id": "7"}
    packed = "potok:" + orjson.dumps(gemini).decode()
    (found,) = said_by(
        "assistant",
        {"type": "thinking", "thinking": "Hm. ", "signature": "sig"},
        {"type": "thinking", "thinking": "So.", "signature": ""},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "redacted_thinking", "data": packed},
        {"type": "tool_use", "id": "a", "name": "look", "input": {"at": "Омск"}},
    )
    own = {"format": "anthropic-claude-v1"}
    assert found == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Hm. So.",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm. ", "signature": "sig", "index": 0} | own,
            {"type": "reasoning.encrypted", "data": "blob", "index": 1} | own,
            gemini,
        ],
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "look", "arguments": '{"at":"Омск"}'},
            }
        ],
    }


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "between_tools"}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "high"),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none"),
        ({}, None),
    ],
)
def test_effort(fields: Json, wanted: str | None) -> None:
    assert chat(**fields).get("reasoning_effort") == wanted


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
    ],
)
def test_choice_of_tools(choice: Json, wanted: Any) -> None:
    assert chat(tools=[TOOL], tool_choice=choice)["tool_choice"] == wanted
    assert "tool_choice" not in chat(tool_choice=choice)  # OpenAI refuses one without tools


def test_a_schema_of_the_answer() -> None:
    schema = {"type": "object", "properties": {}}
    found = chat(output_config={"format": {"type": "json_schema", "schema": schema}})
    named = {"name": "answer", "schema": schema, "strict": True}
    assert found["response_format"] == {"type": "json_schema", "json_schema": named}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


PDF = {"type": "document", "source": {"type": "url", "url": "https://a.test/1.pdf"}}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            body(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
            "web_search_20250305",
        ),
        (body(mcp_servers=[{"type": "url"}]), "mcp_servers"),
        (body(user(PDF)), r"messages\[0\].content\[0\] is a document"),
        (body(user({"type": "image", "source": {"type": "file", "file_id": "f"}})), "base64 nor"),
        (body(user({"type": "server_tool_use", "id": "a"})), "server_tool_use"),
    ],
)
def test_what_another_candidate_may_do(asked: Json, words: str) -> None:
    with pytest.raises(NotForThisModel, match=words):
        CLIENT.chat_from(asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "model is missing"),
        ({"model": "m"}, "messages is missing"),
        (body({"role": "robot", "content": ""}), r"messages\[0\].role"),
        (body(user({"type": "text"})), r"messages\[0\].content\[0\].text is missing"),
        (body(max_tokens=0), "max_tokens is below 1"),
        (body(max_tokens=True), "max_tokens is of the wrong kind"),
        (body(thinking={"type": "deep"}), "thinking.type"),
        (body(output_config={"effort": ["low"]}), "output_config.effort"),
        (body(tools=[TOOL], tool_choice={"type": []}), "tool_choice.type"),
    ],
)
def test_what_is_wrong(asked: Json, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        CLIENT.chat_from(asked)


def test_thoughts_that_anthropic_did_not_sign_are_not_shown_to_it() -> None:
    own = {"type": "thinking", "thinking": "Hm", "signature": "sig"}
    foreign = [{"type": "thinking", "thinking": "Hm", "signature": ""}]
    foreign.append({"type": "redacted_thinking", "data": "potok:{}"})
    asked = body(user(text("Hi")), {"role": "assistant", "content": [*foreign, own, text("Yo")]})
    cleaned = without_foreign_thoughts(asked)
    assert cleaned["messages"][1]["content"] == [own, text("Yo")]
    assert without_foreign_thoughts(cleaned) is cleaned


def test_an_estimate_of_tokens() -> None:
    assert 500 < count_tokens_estimate(body(user(text("four " * 500)))) < 900
    picture = {"type": "image", "source": BASE64 | {"data": PNG * 10_000}}
    assert 1600 <= count_tokens_estimate(body(user(picture))) < 1700


GOOD = body(
    user(text("Hi"), {"type": "image", "source": BASE64}),
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {}}],
    },
    user({"type": "tool_result", "tool_use_id": "a", "content": [text("1")]}),
    system=[text("Be brief.")],
    tools=[TOOL],
    tool_choice={"type": "any"},
    thinking={"type": "enabled", "budget_tokens": 2000},
    output_config={"format": {"type": "json_schema", "schema": {}}},
    metadata={"user_id": "u"},
    stop_sequences=["END"],
)


@given(bent(GOOD) | st.dictionaries(st.sampled_from(sorted(GOOD)), any_json))
def test_any_body_gives_a_chat_or_is_rejected(asked: Any) -> None:
    with suppress(Rejected):
        assert isinstance(CLIENT.chat_from(asked), dict)
    if isinstance(asked, dict):
        assert count_tokens_estimate(asked) > 0
        assert isinstance(without_foreign_thoughts(asked), dict)
