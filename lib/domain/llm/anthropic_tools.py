"""Tools and the choice among them, both ways. Without tools neither side takes a choice.

Source: ``ToolUnionParam`` and ``ToolChoiceParam`` of anthropic 2.14.0, read 2026-11-25.
"""

from __future__ import annotations

from lib.domain.llm.anthropic_shape import need, objects
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_CHAT_CHOICES = {own: chat for chat, own in _CHOICES.items()}


def chat_tools_from(body: Json) -> Json:
    """Chat's ``tools``, ``tool_choice`` and ``parallel_tool_calls``; {} without tools.

    Raises:
        Rejected: they are wrong. NotForThisModel: one is Anthropic's own, such as web_search.
    """
    tools = [
        _chat_tool(t, f"tools[{n}]") for n, t in enumerate(objects(body.get("tools", []), "tools"))
    ]
    if not tools:
        return {}
    choice = need(body.get("tool_choice", {"type": "auto"}), dict, "tool_choice")
    found: Json = {"tools": tools}
    kind = choice.get("type")
    if kind == "tool":
        name = need(choice.get("name"), str, "tool_choice.name")
        found["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif isinstance(kind, str) and kind in _CHAT_CHOICES:
        found["tool_choice"] = _CHAT_CHOICES[kind]
    else:
        raise Rejected("tool_choice.type is none of auto, any, tool and none")
    return found | (
        {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    )


def _chat_tool(tool: Json, where: str) -> Json:
    kind = tool.get("type")
    if kind not in (None, "custom"):
        raise NotForThisModel(f"{where} is {str(kind)[:60]!r}: only Anthropic's models have it")
    function: Json = {"name": need(tool.get("name"), str, f"{where}.name")}
    if tool.get("description") is not None:
        function["description"] = need(tool["description"], str, f"{where}.description")
    function["parameters"] = need(tool.get("input_schema"), dict, f"{where}.input_schema")
    if tool.get("strict") is True:
        function["strict"] = True
    return {"type": "function", "function": function}


def tools_from(chat: Json) -> Json:
    """Anthropic's ``tools`` and ``tool_choice`` of a chat request; {} without tools.

    Raises:
        Rejected: they are wrong. NotForThisModel: one is no function.
    """
    tools = [_tool(t, f"tools[{n}]") for n, t in enumerate(objects(chat.get("tools", []), "tools"))]
    if not tools:
        return {}
    wanted = chat.get("tool_choice", "auto")
    if isinstance(wanted, str) and wanted in _CHOICES:
        choice: Json = {"type": _CHOICES[wanted]}
    elif isinstance(wanted, dict) and wanted.get("type") == "function":
        function = need(wanted.get("function"), dict, "tool_choice.function")
        name = need(function.get("name"), str, "tool_choice.function.name")
        choice = {"type": "tool", "name": name}
    else:
        raise NotForThisModel("tool_choice is none of auto, required, none and one function")
    if chat.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    is_said = "tool_choice" in chat or len(choice) > 1
    return {"tools": tools} | ({"tool_choice": choice} if is_said else {})


def _tool(tool: Json, where: str) -> Json:
    if tool.get("type", "function") != "function":
        raise NotForThisModel(f"{where} is no function: Anthropic takes functions")
    function = need(tool.get("function"), dict, f"{where}.function")
    found: Json = {"name": need(function.get("name"), str, f"{where}.function.name")}
    if function.get("description") is not None:
        found["description"] = need(function["description"], str, f"{where}.function.description")
    schema = function.get("parameters")
    schema = {} if schema is None else need(schema, dict, f"{where}.function.parameters")
    return found | {"input_schema": {"type": "object"} | schema}
