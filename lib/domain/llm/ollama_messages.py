"""The messages of a chat, in Ollama's shape and in OpenAI's.

Source: api/types.go of Ollama (``Message``, ``ToolCall``), read 2026-11-25. Its SDK's messages
have no ids of tool calls, its server's have; so ids are passed on, and minted where absent.
"""

from __future__ import annotations

import re

from lib.domain.llm.checked import objects, optional, required, texts, written
from lib.domain.llm.chunks import call_of
from lib.domain.llm.loose import object_in
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

_DATA_URL = re.compile(r"data:[^,]{0,100};base64,", re.I)
_KINDS = {"/9j/": "jpeg", "iVBOR": "png", "R0lG": "gif", "UklGR": "webp"}  # how base64 begins


def ollama_messages_from(chat: Json) -> list[Json]:
    """The messages of a chat request as ``/api/chat`` takes them.

    Raises:
        Rejected: they are wrong.
        NotForThisModel: Ollama cannot read a part of them: audio, files, pictures by address.
    """
    names: dict[str, str] = {}
    required(chat, "messages", list)
    found = objects(chat, "messages")
    return [_to_ollama(each, f"messages[{n}].", names) for n, each in enumerate(found)]


def _to_ollama(message: Json, at: str, names: dict[str, str]) -> Json:
    """One message; ``names`` learns the tools' names by the ids of their calls."""
    role = required(message, "role", str, at)
    if role not in ("system", "developer", "user", "assistant", "tool"):
        raise Rejected(f"`{at}role` must be system, developer, user, assistant or tool")
    text, images = _content_of(message, at)
    made: Json = {"role": "system" if role == "developer" else role, "content": text}
    if images:
        made["images"] = images
    if thought := optional(message, "reasoning_content", str, at):
        made["thinking"] = thought
    if calls := objects(message, "tool_calls", at):
        made["tool_calls"] = [_call_to_ollama(call, at, names) for call in calls]
    if role == "tool":
        call_id = optional(message, "tool_call_id", str, at) or ""
        made["tool_call_id"] = call_id
        # A client that cut its history may have lost the call itself.
        if name := names.get(call_id) or optional(message, "name", str, at):
            made["tool_name"] = name
    return made


def _content_of(message: Json, at: str) -> tuple[str, list[str]]:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or "", []
    said, images = [], []
    for place, part in enumerate(objects(message, "content", at)):
        where = f"{at}content[{place}]."
        kind = part.get("type")
        if kind in ("text", "refusal"):
            said.append(optional(part, str(kind), str, where) or "")
        elif kind == "image_url":
            images.append(_image_in(part, where))
        else:
            raise NotForThisModel(f"`{where}type`: an Ollama model takes text and image_url only")
    return "\n".join(said), images


def _image_in(part: Json, at: str) -> str:
    url = part.get("image_url")
    if not isinstance(url, str):
        url = required(required(part, "image_url", dict, at), "url", str, f"{at}image_url.")
    head = _DATA_URL.match(url)
    if head is None:
        raise NotForThisModel(
            f"`{at}image_url`: Ollama fetches no pictures; send it as data:image/…;base64,…"
        )
    return url[head.end() :]


def _call_to_ollama(call: Json, at: str, names: dict[str, str]) -> Json:
    function = required(call, "function", dict, f"{at}tool_calls[].")
    name = required(function, "name", str, f"{at}tool_calls[].function.")
    said = optional(function, "arguments", str, f"{at}tool_calls[].function.") or ""
    arguments = object_in(said)
    if arguments is None:
        raise Rejected(f"`{at}tool_calls`: the arguments of {name[:64]!r} are no JSON object")
    call_id = optional(call, "id", str, f"{at}tool_calls[].") or ""
    names[call_id] = name
    return {"id": call_id, "function": {"name": name, "arguments": arguments}}


def chat_messages_from(body: Json) -> list[Json]:
    """The messages of a body of ``/api/chat`` as OpenAI has them.

    Raises:
        Rejected: they are wrong, or a tool answers that nobody called.
    """
    required(body, "messages", list)
    waiting: list[tuple[str, str]] = []  # ids and names of calls without an answer yet
    found = objects(body, "messages")
    return [_to_chat(each, n, waiting) for n, each in enumerate(found)]


def _to_chat(message: Json, n: int, waiting: list[tuple[str, str]]) -> Json:
    at = f"messages[{n}]."
    role = required(message, "role", str, at).lower()
    if role not in ("system", "user", "assistant", "tool"):
        raise Rejected(f"`{at}role` must be system, user, assistant or tool")
    text = optional(message, "content", str, at) or ""
    made: Json = {"role": role, "content": content_with_images(text, message, at)}
    if thought := optional(message, "thinking", str, at):
        made["reasoning_content"] = thought
    calls = objects(message, "tool_calls", at)
    if calls and role == "assistant":
        made["tool_calls"] = [
            _call_to_chat(call, f"call_{n}_{i}", at) for i, call in enumerate(calls)
        ]
        waiting += [(call["id"], call["function"]["name"]) for call in made["tool_calls"]]
        made["content"] = made["content"] or None
    if role == "tool":
        made["tool_call_id"] = _answered(message, at, waiting)
    return made


def content_with_images(text: str, body: Json, at: str = "") -> str | list[Json]:
    """The content of a chat message: the text, or parts when ``body`` has images."""
    images = texts(body, "images", at)
    if not images:
        return text
    parts = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in images]
    return [{"type": "text", "text": text}, *parts] if text else parts


def _data_url(image: str) -> str:
    if image.startswith("data:"):
        return image
    kind = next((kind for head, kind in _KINDS.items() if image.startswith(head)), "png")
    return f"data:image/{kind};base64,{image}"


def _call_to_chat(call: Json, minted: str, at: str) -> Json:
    function = required(call, "function", dict, f"{at}tool_calls[].")
    name = required(function, "name", str, f"{at}tool_calls[].function.")
    arguments = optional(function, "arguments", dict, f"{at}tool_calls[].function.") or {}
    call_id = optional(call, "id", str, f"{at}tool_calls[].") or minted
    return call_of(call_id, name, written(arguments))


def _answered(message: Json, at: str, waiting: list[tuple[str, str]]) -> str:
    """The id of the call that a tool's message answers: by id, by name, or the next in turn."""
    call_id = optional(message, "tool_call_id", str, at)
    name = optional(message, "tool_name", str, at)
    ranked = sorted(waiting, key=lambda call: (call[0] != call_id, call[1] != name))
    if not ranked:
        raise Rejected(f"`{at}role`: a tool answers, but no call before it waits for an answer")
    waiting.remove(ranked[0])
    return ranked[0][0]
