"""Chat messages as Anthropic's system prompt and turns.

Anthropic wants: instructions apart from the turns, one turn of a role at a time, the results of
tools at the head of the turn that follows the calls, thoughts at the head of an answer, no empty
texts, and ids of calls without signs such as ``.`` and ``:``, which other models give them.

Source: facts "OpenAI <-> Anthropic pitfalls", 2026-11-22; anthropic 2.14.0, read 2026-11-25.
"""

from __future__ import annotations

import re
from typing import Any

from lib.domain.llm.anthropic_shape import need, objects
from lib.domain.llm.anthropic_thoughts import merged, own_block_from
from lib.domain.llm.loose import a_text, object_in, objects_among
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,(.*)", re.DOTALL)
_MEDIA = {"image/jpeg", "image/png", "image/gif", "image/webp"}


def turns_from(chat: Json) -> tuple[str, list[Json]]:
    """The system prompt, "" without one, and the turns.

    Raises:
        Rejected: a message is of a wrong shape. NotForThisModel: it holds what Anthropic does not
            take, such as sound, or nobody says anything.
    """
    system: list[str] = []
    turns: list[Json] = []
    for n, message in enumerate(objects(chat.get("messages"), "messages")):
        where = f"messages[{n}]"
        role = message.get("role")
        if role in ("system", "developer"):
            system += _texts(message.get("content"), f"{where}.content")
        elif role == "user":
            _append(turns, "user", _blocks(message.get("content"), f"{where}.content"))
        elif role == "tool":
            _append(turns, "user", [_result(message, where)])
        elif role == "assistant":
            _append(turns, "assistant", _answer(message, where))
        else:
            raise Rejected(f"{where}.role is none of system, developer, user, assistant and tool")
    if not turns:
        raise NotForThisModel("messages: none of user or assistant says anything")
    for turn in turns:
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    last = turns[-1]["content"][-1]
    if turns[-1]["role"] == "assistant" and last["type"] == "text":
        last["text"] = last["text"].rstrip()  # a prefill that ends in a space is refused
    return "\n".join(system), turns


def is_unsigned_call_answered(turns: list[Json]) -> bool:
    """Whether the last turn brings results of calls before which there is no signed thought."""
    if len(turns) < 2 or turns[-1]["content"][0]["type"] != "tool_result":
        return False
    return not str(turns[-2]["content"][0]["type"]).endswith("thinking")


def _append(turns: list[Json], role: str, blocks: list[Json]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    elif blocks:
        turns.append({"role": role, "content": blocks})


def _texts(content: Any, where: str) -> list[str]:
    """The texts of a message that can hold nothing else."""
    blocks = _blocks(content, where)
    if any(block["type"] != "text" for block in blocks):
        raise Rejected(f"{where} holds more than text: this role writes text only")
    return [block["text"] for block in blocks]


def _blocks(content: Any, where: str) -> list[Json]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_block(part, f"{where}[{n}]") for n, part in enumerate(objects(content, where))]
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _block(part: Json, where: str) -> Json:
    kind = need(part.get("type"), str, f"{where}.type")
    if kind in ("text", "refusal"):
        block: Json = {"type": "text", "text": need(part.get(kind), str, f"{where}.{kind}")}
    elif kind == "image_url":
        block = {"type": "image", "source": _source(part.get("image_url"), f"{where}.image_url")}
    else:
        raise NotForThisModel(f"{where} is {kind[:60]!r}: Anthropic takes text and pictures")
    if isinstance(part.get("cache_control"), dict):  # as OpenRouter's clients send it
        block["cache_control"] = part["cache_control"]
    return block


def _source(image: Any, where: str) -> Json:
    url = image if isinstance(image, str) else need(image, dict, where).get("url")
    url = need(url, str, f"{where}.url")
    if url.startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise Rejected(f"{where} is neither an http(s) address nor data:image/…;base64,…")
    media = found[1].lower().replace("image/jpg", "image/jpeg")
    if media not in _MEDIA:
        raise NotForThisModel(f"{where} is {media[:60]!r}: Anthropic takes JPEG, PNG, GIF and WebP")
    return {"type": "base64", "media_type": media, "data": found[2]}


def _result(message: Json, where: str) -> Json:
    call_id = need(message.get("tool_call_id"), str, f"{where}.tool_call_id")
    content = message.get("content")
    if not isinstance(content, str):
        content = _blocks(content if content is not None else [], f"{where}.content")
    return {"type": "tool_result", "tool_use_id": _id(call_id), "content": content}


def _answer(message: Json, where: str) -> list[Json]:
    details = merged(objects_among(message.get("reasoning_details")))
    blocks = [block for detail in details if (block := own_block_from(detail))]
    if (content := message.get("content")) is None:
        content = a_text(message.get("refusal"))
    texts = _texts(content, f"{where}.content")
    blocks += [{"type": "text", "text": text} for text in texts]
    calls = message.get("tool_calls")
    calls = [] if calls is None else objects(calls, f"{where}.tool_calls")
    return blocks + [_call(call, f"{where}.tool_calls[{n}]") for n, call in enumerate(calls)]


def _call(call: Json, where: str) -> Json:
    function = need(call.get("function"), dict, f"{where}.function")
    arguments = function.get("arguments")
    if not isinstance(arguments, dict):
        text = "" if arguments is None else need(arguments, str, f"{where}.function.arguments")
        arguments = object_in(text)
    if arguments is None:
        raise Rejected(f"{where}.function.arguments is no JSON object: send one as text")
    return {
        "type": "tool_use",
        "id": _id(need(call.get("id"), str, f"{where}.id")),
        "name": need(function.get("name"), str, f"{where}.function.name"),
        "input": arguments,
    }


def _id(call_id: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id) or "_"
