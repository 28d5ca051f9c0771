"""OpenAI's chat completions, as OpenRouter and Groq have them: read and written.

Source: platform.openai.com/docs/api-reference/chat, facts of 2026-11-22.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from deployments.sandbox.model_reading import (
    check,
    count_in,
    function_of,
    last_text,
    object_in,
    objects_in,
    pictures_in,
    text_of,
    tools_in,
)
from deployments.sandbox.model_talk import Asked, Json, Said, chars_in, cut, tokens_of

_ROLES = {"system", "developer", "user", "assistant", "tool"}


def asked_in(body: Json, thinks: bool) -> Asked:
    """The question of a chat request.

    Args:
        body: the request's.
        thinks: thoughts are to come first.

    Raises:
        Refused: it is none.
    """
    messages = objects_in(body, "messages", least=1)
    _check_messages(messages)
    answers = list(takewhile(lambda message: message["role"] == "tool", reversed(messages)))
    return Asked(
        text=last_text(messages),
        images=sum(pictures_in(message.get("content")) for message in messages),
        tool_answer="\n".join(text_of(a.get("content")) for a in reversed(answers)) or None,
        tools=tools_in(body, function_of),
        choice=_choice_in(body.get("tool_choice")),
        is_parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema_in(object_in(body, "response_format")),
        thinks=thinks,
        max_tokens=count_in(body, "max_completion_tokens", "max_tokens"),
        prompt_tokens=tokens_of(chars_in([messages, body.get("tools")])),
    )


def message_of(said: Said, number: int) -> Json:
    """The message of an answer; ``reasoning`` when there are thoughts."""
    message: Json = {"role": "assistant", "content": None if said.uses else said.text}
    if said.thoughts:
        message["reasoning"] = said.thought
    if said.uses:
        calls = enumerate(said.uses)
        message["tool_calls"] = [
            _call(number, index, use.name, use.written) for index, use in calls
        ]
    return message


def deltas_of(said: Said, number: int) -> Iterator[Json]:
    """The same as the deltas of a stream."""
    yield {"role": "assistant", "content": ""}
    for thought in said.thoughts:
        yield {"reasoning": thought}
    for piece in said.pieces:
        yield {"content": piece}
    for index, use in enumerate(said.uses):
        yield {"tool_calls": [{"index": index} | _call(number, index, use.name, "")]}
        for piece in cut(use.written):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def finish_of(said: Said) -> str:
    """Why it ended."""
    if said.is_cut_short:
        return "length"
    return "tool_calls" if said.uses else "stop"


def usage_of(said: Said) -> Json:
    """What it used."""
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": said.tokens,
        "total_tokens": said.prompt_tokens + said.tokens,
        "completion_tokens_details": {"reasoning_tokens": said.thought_tokens},
    }


def envelope(kind: str, prefix: str, number: int, model: str) -> Json:
    """The fields around an answer or a chunk, which ``kind`` says."""
    shared = {"id": f"{prefix}-sandbox-{number}", "created": int(time.time()), "model": model}
    return shared | {"object": kind}


def _check_messages(messages: list[Json]) -> None:
    called: set[Any] = set()
    for number, message in enumerate(messages):
        where, content = f"'messages.{number}'", message.get("content")
        check(str(message.get("role")) in _ROLES, f"{where}: 'role' is none of {sorted(_ROLES)}")
        check(
            content is None or isinstance(content, str | list),
            f"{where}: 'content' is a string or an array",
        )
        for call in objects_in(message, "tool_calls"):
            arguments = object_in(call, "function").get("arguments")
            check(isinstance(arguments, str), f"{where}: 'arguments' is not a string")
            called.add(str(call.get("id")))
        check(
            message["role"] != "tool" or str(message.get("tool_call_id")) in called,
            f"{where}: 'tool' is no answer to a preceding message with 'tool_calls'",
        )


def _choice_in(choice: Any) -> str:
    if isinstance(choice, dict):
        return str(object_in(choice, "function").get("name"))
    known = {None: "auto", "auto": "auto", "none": "none", "required": "any"}
    check(isinstance(choice, str | None) and choice in known, "'tool_choice': unknown")
    return known[choice]


def _schema_in(form: Json) -> Json | None:
    kind = form.get("type", "text")
    check(kind in ("text", "json_object", "json_schema"), "'response_format.type': unknown")
    if kind != "json_schema":
        return None if kind == "text" else {}
    asked = object_in(form, "json_schema")
    check(isinstance(asked.get("name"), str), "'response_format.json_schema.name' is missing")
    return object_in(asked, "schema")


def _call(number: int, index: int, name: str, arguments: str) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{number}_{index}", "type": "function", "function": function}
