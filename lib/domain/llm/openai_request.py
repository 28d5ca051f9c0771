"""A chat completion request, checked: what comes out has the types that every translator trusts.

Source: platform.openai.com/docs/api-reference/chat/create, read 2026-11-22.
"""

from __future__ import annotations

from typing import Any

from lib.domain.llm.fields import Fields
from lib.domain.llm.wire import Json

ROLES = ("system", "developer", "user", "assistant", "tool")

_KINDS: dict[str, type[Any]] = {
    "frequency_penalty": float,
    "logit_bias": dict,
    "logprobs": bool,
    "max_completion_tokens": int,
    "max_tokens": int,
    "metadata": dict,
    "n": int,
    "parallel_tool_calls": bool,
    "presence_penalty": float,
    "reasoning": dict,
    "reasoning_effort": str,
    "seed": int,
    "stream": bool,
    "temperature": float,
    "top_k": int,
    "top_logprobs": int,
    "top_p": float,
    "user": str,
}
_POSITIVE = ("max_completion_tokens", "max_tokens", "n")
_RETIRED = {
    "functions": "it is retired, send 'tools'",
    "function_call": "it is retired, send 'tool_choice'",
}
_PARTS: dict[str, tuple[str, type[Any]]] = {
    "text": ("text", str),
    "refusal": ("refusal", str),
    "image_url": ("image_url", dict),
    "input_audio": ("input_audio", dict),
    "file": ("file", dict),
}


def checked_chat(body: Json) -> Json:
    """The request without its null parameters; flat tools, which Cursor sends, made deep ones.

    Raises:
        Rejected: a parameter has another type, or asks for what no provider here has.
    """
    asked = Fields({key: value for key, value in body.items() if value is not None})
    asked.text("model")
    for key, kind in _KINDS.items():
        asked.maybe(key, kind)
    for key in _POSITIVE:
        if asked.json.get(key, 1) < 1:
            raise asked.wrong(key, "it is below 1")
    asked.refuse(_RETIRED)
    _check_stop(asked)
    if options := asked.maybe_inner("stream_options"):
        options.maybe("include_usage", bool)
    _check_format(asked.maybe_inner("response_format"))
    if not asked.need("messages", list):
        raise asked.wrong("messages", "it is empty")
    chat = asked.json | {"messages": [_message_from(m) for m in asked.objects("messages")]}
    if "tool_choice" in chat:
        chat["tool_choice"] = _choice_from(asked)
    if tools := [_tool_from(tool) for tool in asked.objects("tools")]:
        return chat | {"tools": tools}
    return {key: chat[key] for key in chat.keys() - {"tools", "tool_choice"}}  # OpenAI wants none


def _check_stop(asked: Fields) -> None:
    stop = asked.json.get("stop")
    stops = stop if isinstance(stop, list) else [stop]
    if stop is not None and not all(isinstance(one, str) for one in stops):
        raise asked.mistyped("stop", "a string or an array of strings")


def _check_format(wanted: Fields | None) -> None:
    if wanted and wanted.one_of("type", ("text", "json_object", "json_schema")) == "json_schema":
        schema = wanted.inner("json_schema")
        schema.text("name")
        schema.maybe("schema", dict)
        schema.maybe("strict", bool)


def _message_from(message: Fields) -> Json:
    role = message.one_of("role", ROLES)
    content = message.json.get("content")
    if isinstance(content, list):
        for part in message.objects("content"):
            _check_part(part)
    elif not isinstance(content, str) and not (content is None and role == "assistant"):
        raise message.mistyped("content", "a string or an array of objects")
    for key in ("name", "reasoning_content", "refusal"):
        message.maybe(key, str)
    message.objects("reasoning_details")
    if role == "tool":
        message.text("tool_call_id")
    message.refuse({"function_call": "it is retired, send 'tool_calls'"})
    if message.json.get("tool_calls") is None:
        return message.json
    return message.json | {"tool_calls": [_call_from(c) for c in message.objects("tool_calls")]}


def _check_part(part: Fields) -> None:
    key, kind = _PARTS[part.one_of("type", _PARTS)]
    part.need(key, kind)
    if key == "image_url":
        picture = part.inner(key)
        picture.text("url")
        picture.maybe("detail", str)
    elif key == "input_audio":
        sound = part.inner(key)
        sound.text("data")
        sound.text("format")


def _call_from(call: Fields) -> Json:
    call.text("id")
    _only_functions(call)
    function = call.inner("function")
    function.text("name")
    function.need("arguments", str)
    return call.json | {"type": "function"}


def _tool_from(tool: Fields) -> Json:
    _only_functions(tool)
    flat = "function" not in tool.json
    function = tool if flat else tool.inner("function")
    function.text("name")
    function.maybe("description", str)
    function.maybe("parameters", dict)
    function.maybe("strict", bool)
    known = {key: value for key, value in function.json.items() if value is not None}
    if flat:
        return {"type": "function", "function": {k: v for k, v in known.items() if k != "type"}}
    return tool.json | {"type": "function", "function": known}


def _choice_from(asked: Fields) -> str | Json:
    if isinstance(asked.json["tool_choice"], str):
        return asked.one_of("tool_choice", ("none", "auto", "required"))
    choice = asked.inner("tool_choice")
    _only_functions(choice)
    function = choice if "function" not in choice.json else choice.inner("function")
    return {"type": "function", "function": {"name": function.text("name")}}


def _only_functions(item: Fields) -> None:
    kind = item.maybe("type", str) or "function"
    if kind != "function":
        raise item.unsupported(
            "type", f"{kind[:40]!r} works at OpenAI only, use tools of type 'function'"
        )
