"""A request of OpenAI's Responses API as a chat request.

Nothing is kept here between requests: the whole conversation has to come in ``input``. A model's
thoughts travel as ``encrypted_content``, which is opaque to clients: it holds the message's
``reasoning_details`` as they were, so that a provider gets its signatures back.

Source: platform.openai.com/docs/api-reference/responses/create, openai 3.57 types, read 2026-11-25.
"""

from __future__ import annotations

from lib.domain.llm.fields import Fields
from lib.domain.llm.openai_request import checked_chat
from lib.domain.llm.responses_items import unsealed
from lib.domain.llm.wire import Json

_WHOLE = "nothing is kept here between requests, send the whole conversation in 'input'"
_NOT_HERE = {
    "previous_response_id": _WHOLE,
    "conversation": _WHOLE,
    "background": "answers are given at once, leave it out and use 'stream'",
    "prompt": "stored prompts are OpenAI's, send 'instructions' and 'input'",
}
_SAME = (
    *("max_completion_tokens", "max_tokens", "model", "parallel_tool_calls", "reasoning_effort"),
    *("response_format", "stop", "stream", "stream_options", "temperature", "tool_choice", "tools"),
    *("top_p", "user"),
)
_ROLES = ("user", "assistant", "system", "developer")


def chat_request_from(body: Json) -> Json:
    """The chat request of a Responses request; ``metadata``, ``store``, ``include`` are left out.

    Raises:
        Rejected: it is wrong, or asks for what only OpenAI keeps or runs.
    """
    asked = Fields(body)
    asked.refuse(_NOT_HERE)
    asked.maybe("metadata", dict)  # goes back in the answer
    chat = {key: body[key] for key in _SAME if key in body}
    chat["messages"] = _messages_from(asked)
    if (limit := asked.maybe("max_output_tokens", int)) is not None:
        if limit < 1:
            raise asked.wrong("max_output_tokens", "it is below 1")
        chat["max_completion_tokens"] = limit
    if (reasoning := asked.maybe_inner("reasoning")) and (effort := reasoning.maybe("effort", str)):
        chat["reasoning_effort"] = effort
    if (text := asked.maybe_inner("text")) and (wanted := text.maybe_inner("format")):
        chat["response_format"] = _format_from(wanted)
    return checked_chat(chat)


def _format_from(wanted: Fields) -> Json:
    kind = wanted.one_of("type", ("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return {"type": kind}
    wanted.text("name")
    wanted.need("schema", dict)
    wanted.maybe("strict", bool)
    wanted.maybe("description", str)
    return {"type": kind, kind: {key: wanted.json[key] for key in wanted.json.keys() - {"type"}}}


def _messages_from(asked: Fields) -> list[Json]:
    messages: list[Json] = []
    if instructions := asked.maybe("instructions", str):
        messages.append({"role": "system", "content": instructions})
    if isinstance(asked.json.get("input"), str):
        return [*messages, {"role": "user", "content": asked.json["input"]}]
    if not asked.need("input", list):
        raise asked.wrong("input", "it is empty")
    for item in asked.objects("input"):
        said = _message_from(item)
        if messages and said["role"] == messages[-1]["role"] == "assistant":
            _join(messages[-1], said)  # its thoughts, words and calls come one by one
        else:
            messages.append(said)
    return [message for message in messages if message["role"] != "assistant" or _says(message)]


def _says(message: Json) -> bool:
    """Whether an assistant's message is more than thoughts: no provider takes those alone."""
    return bool(message["content"] or message.get("tool_calls"))


def _message_from(item: Fields) -> Json:
    kind = item.maybe("type", str) or "message"
    if kind == "message":
        role = item.one_of("role", _ROLES)
        content = _content_from(item, "content")
        if role == "assistant" and isinstance(content, list):
            raise item.wrong("content", "an assistant's message is text")
        return {"role": role, "content": content}
    if kind == "reasoning":
        return {"role": "assistant", "content": None} | _thoughts_from(item)
    if kind == "function_call":
        function = {"name": item.text("name"), "arguments": item.need("arguments", str)}
        call = {"id": item.text("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        content = _content_from(item, "output")
        return {"role": "tool", "tool_call_id": item.text("call_id"), "content": content}
    if kind == "item_reference":
        raise item.unsupported("type", _WHOLE)
    raise item.unsupported("type", f"{kind[:40]!r} works at OpenAI only, use functions")


def _join(message: Json, more: Json) -> None:
    """Add what an assistant said next to what it said before."""
    for key in ("content", "reasoning_content"):
        if texts := [one[key] for one in (message, more) if one.get(key)]:
            message[key] = "\n\n".join(texts)
    for key in ("reasoning_details", "tool_calls"):
        if lists := message.get(key, []) + more.get(key, []):
            message[key] = lists


def _thoughts_from(item: Fields) -> Json:
    """``reasoning_content`` and ``reasoning_details``; what others sealed is dropped."""
    parts = item.objects("summary") or item.objects("content")
    text = "\n\n".join(part.need("text", str) for part in parts)
    thoughts: Json = {"reasoning_content": text} if text else {}
    if details := unsealed(item.maybe("encrypted_content", str) or ""):
        thoughts["reasoning_details"] = details
    return thoughts


def _content_from(item: Fields, key: str) -> str | list[Json]:
    """The text of a message or an output; a list of parts when there is more than text."""
    if not isinstance(item.json.get(key), list):
        return item.need(key, str)
    parts = [_part_from(part) for part in item.objects(key)]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part_from(part: Fields) -> Json:
    kind = part.need("type", str)
    if kind in ("input_text", "output_text", "text", "refusal"):
        return {"type": "text", "text": part.need("refusal" if kind == "refusal" else "text", str)}
    if kind in ("input_image", "input_file"):
        files = "files are not kept here, send it as a data URL"
        part.refuse({"file_id": files, "file_url": files})
    if kind == "input_image":
        picture = {"url": part.text("image_url")}
        detail = part.maybe("detail", str)
        return {"type": "image_url", "image_url": picture | ({"detail": detail} if detail else {})}
    if kind == "input_file":
        file = {"file_data": part.text("file_data")}
        name = part.maybe("filename", str)
        return {"type": "file", "file": file | ({"filename": name} if name else {})}
    raise part.wrong("type", "supported values are 'input_text', 'input_image', 'input_file'")
