"""The messages of an Anthropic client as chat messages.

One user message may hold the results of several tools and what the person says next: these become
several ``tool`` messages and a ``user`` one. Chat's tool messages are texts, so pictures of results
open the user message that follows.

Source: ``MessageParam`` of anthropic 2.14.0; of the billing line
github.com/ggml-org/llama.cpp/pull/20623; read 2026-11-25.
"""

from __future__ import annotations

from typing import Any

from lib.domain.llm.anthropic_shape import json_text, need, objects
from lib.domain.llm.anthropic_thoughts import thoughts_from
from lib.domain.llm.loose import a_text
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

# Claude Code opens its system prompt with it; it differs each time, and no prompt cache would hit.
_BILLING = "x-anthropic-billing-header:"


def messages_from(body: Json) -> list[Json]:
    """The chat messages of a body: its system prompt first.

    Raises:
        Rejected: something is of a wrong shape, or a block that chat has no word for.
    """
    messages = _system(body["system"], "system") if body.get("system") is not None else []
    for n, message in enumerate(objects(body.get("messages"), "messages")):
        where = f"messages[{n}]"
        role = message.get("role")
        if role == "user":
            messages += _user(_blocks(message.get("content"), f"{where}.content"))
        elif role == "assistant":
            messages.append(_assistant(_blocks(message.get("content"), f"{where}.content")))
        elif role == "system":
            messages += _system(message.get("content"), f"{where}.content")
        else:
            raise Rejected(f"{where}.role is none of user, assistant and system")
    return messages


def _blocks(content: Any, where: str) -> list[tuple[Json, str]]:
    """Each block with its path."""
    if isinstance(content, str):
        return [({"type": "text", "text": content}, where)]
    return [(block, f"{where}[{n}]") for n, block in enumerate(objects(content, where))]


def _system(content: Any, where: str) -> list[Json]:
    texts = [_text(block, here) for block, here in _blocks(content, where)]
    said = "\n".join(text for text in texts if not text.startswith(_BILLING))
    return [{"role": "system", "content": said}] if said else []


def _user(blocks: list[tuple[Json, str]]) -> list[Json]:
    results: list[Json] = []
    parts: list[Json] = []
    for block, where in blocks:
        if block.get("type") == "tool_result":
            result, pictures = _result(block, where)
            results.append(result)
            parts += pictures
    parts += [_part(block, here) for block, here in blocks if block.get("type") != "tool_result"]
    if parts or not results:
        results.append({"role": "user", "content": _joined(parts)})
    return results


def _joined(parts: list[Json]) -> str | list[Json]:
    """One text if there is nothing else: not every provider takes parts."""
    if any(part["type"] != "text" for part in parts):
        return parts
    return "\n".join(part["text"] for part in parts)


def _result(block: Json, where: str) -> tuple[Json, list[Json]]:
    call_id = need(block.get("tool_use_id"), str, f"{where}.tool_use_id")
    inner = block.get("content") if block.get("content") is not None else ""
    parts = [_part(found, here) for found, here in _blocks(inner, f"{where}.content")]
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    pictures = [part for part in parts if part["type"] != "text"]
    if pictures:
        text = f"{text}\n(its pictures are in the next message)".lstrip()
        pictures.insert(0, {"type": "text", "text": f"The pictures of tool result {call_id}:"})
    # Chat has no word for a call that failed.
    text = f"Error: {text}" if block.get("is_error") is True else text
    return {"role": "tool", "tool_call_id": call_id, "content": text}, pictures


def _part(block: Json, where: str) -> Json:
    kind = block.get("type")
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _picture_url(block, where)}}
    if kind == "document":
        return {"type": "text", "text": _document(block, where)}
    return {"type": "text", "text": _text(block, where)}


def _text(block: Json, where: str) -> str:
    kind = need(block.get("type"), str, f"{where}.type")
    if kind != "text":
        raise NotForThisModel(f"{where} is a block {kind[:60]!r}: only Anthropic's models read it")
    return need(block.get("text"), str, f"{where}.text")


def _picture_url(block: Json, where: str) -> str:
    source = need(block.get("source"), dict, f"{where}.source")
    kind = source.get("type")
    if kind == "base64":
        media = need(source.get("media_type"), str, f"{where}.source.media_type")
        return f"data:{media};base64,{need(source.get('data'), str, f'{where}.source.data')}"
    if kind == "url":
        return need(source.get("url"), str, f"{where}.source.url")
    raise NotForThisModel(f"{where}.source is neither base64 nor url: send the picture so")


def _document(block: Json, where: str) -> str:
    source = need(block.get("source"), dict, f"{where}.source")
    kind = source.get("type")
    if kind == "text":
        text = need(source.get("data"), str, f"{where}.source.data")
    elif kind == "content":
        blocks = _blocks(source.get("content"), f"{where}.source.content")
        text = "\n".join(_text(found, here) for found, here in blocks)
    else:
        raise NotForThisModel(f"{where} is a document that is no text: send its text")
    title = a_text(block.get("title"))
    return f"{title}\n{text}" if title else text


def _assistant(blocks: list[tuple[Json, str]]) -> Json:
    text, calls, thoughts = "", list[Json](), list[Json]()
    for block, where in blocks:
        kind = block.get("type")
        if kind in ("thinking", "redacted_thinking"):
            thoughts.append(block)
        elif kind == "tool_use":
            calls.append(_call(block, where))
        else:
            text += _text(block, where)
    message: Json = {"role": "assistant", "content": None if calls and not text else text}
    message |= thoughts_from(thoughts)
    return message | ({"tool_calls": calls} if calls else {})


def _call(block: Json, where: str) -> Json:
    arguments = json_text(need(block.get("input"), dict, f"{where}.input"))
    if arguments is None:
        raise Rejected(f"{where}.input is nested too deep")
    name = need(block.get("name"), str, f"{where}.name")
    function = {"name": name, "arguments": arguments}
    call_id = need(block.get("id"), str, f"{where}.id")
    return {"id": call_id, "type": "function", "function": function}
