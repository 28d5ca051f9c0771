"""Thoughts: Anthropic's thinking blocks and chat's ``reasoning_details``.

A provider wants its thoughts back unchanged: Anthropic by a signature, Gemini and OpenAI behind
OpenRouter as opaque data. An Anthropic client keeps only its own kinds of blocks, so what is not
Anthropic's travels through it packed into a ``redacted_thinking`` block.

Source: openrouter.ai/docs/use-cases/reasoning-tokens; anthropic 2.14.0, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterable

from lib.domain.llm.anthropic_shape import json_text
from lib.domain.llm.loose import a_text, object_in, objects_among
from lib.domain.llm.wire import Json

_OWN = "anthropic-claude-v1"  # OpenRouter's name of the format
_PACKED = "potok:"


def own_block_from(detail: Json) -> Json | None:
    """Anthropic's block of a detail; None: it is not signed, or another provider's."""
    if detail.get("format") not in (None, _OWN):
        return None
    signature, data = a_text(detail.get("signature")), a_text(detail.get("data"))
    if detail.get("type") == "reasoning.text" and signature:
        text = a_text(detail.get("text"))
        return {"type": "thinking", "thinking": text, "signature": signature}
    if detail.get("type") == "reasoning.encrypted" and data:
        return {"type": "redacted_thinking", "data": data}
    return None


def block_from(detail: Json) -> Json | None:
    """The block that brings a detail back; None: it has nothing that its text alone has not."""
    if own := own_block_from(detail):
        return own
    if not (a_text(detail.get("signature")) or a_text(detail.get("data"))):
        return None
    packed = json_text(detail)
    return None if packed is None else {"type": "redacted_thinking", "data": _PACKED + packed}


def detail_from(block: Json, index: int) -> Json | None:
    """The detail of a thinking or redacted block; None: it is not signed, its text is all.

    Args:
        block: of an Anthropic answer, or of a client that sends one back.
        index: of the detail in its message.
    """
    signature, data = a_text(block.get("signature")), a_text(block.get("data"))
    own = {"format": _OWN, "index": index}
    if block.get("type") == "thinking" and signature:
        text = a_text(block.get("thinking"))
        return {"type": "reasoning.text", "text": text, "signature": signature} | own
    if block.get("type") != "redacted_thinking" or not data:
        return None
    if data.startswith(_PACKED):
        return object_in(data.removeprefix(_PACKED)) or None
    return {"type": "reasoning.encrypted", "data": data} | own


def blocks_of(message: Json) -> list[Json]:
    """The thoughts of a chat message for an Anthropic client; unsigned ones with signature ""."""
    details = merged(objects_among(message.get("reasoning_details")))
    blocks = [block for detail in details if (block := block_from(detail))]
    said = a_text(message.get("reasoning_content"))
    if said and all(block["type"] != "thinking" for block in blocks):
        blocks.insert(0, {"type": "thinking", "thinking": said, "signature": ""})
    return blocks


def thoughts_from(blocks: Iterable[Json]) -> Json:
    """``reasoning_content`` and ``reasoning_details`` of blocks; without what there is none of."""
    said, details = "", list[Json]()
    for block in blocks:
        said += a_text(block.get("thinking")) if block.get("type") == "thinking" else ""
        if detail := detail_from(block, len(details)):
            details.append(detail)
    found = {"reasoning_content": said, "reasoning_details": details}
    return {key: value for key, value in found.items() if value}


def merged(details: Iterable[Json]) -> list[Json]:
    """Details whole again that came in pieces: same type and index, their texts joined."""
    whole: dict[str, Json] = {}
    for n, detail in enumerate(details):
        index = detail.get("index")
        key = f"{detail.get('type')} {f'alone {n}' if index is None else index}"
        before = whole.get(key, {})
        given = {name: value for name, value in detail.items() if value is not None}
        whole[key] = before | given
        if "text" in before or "text" in given:
            whole[key]["text"] = a_text(before.get("text")) + a_text(given.get("text"))
    return list(whole.values())


def without_foreign_thoughts(body: Json) -> Json:
    """A client's body as Anthropic itself takes it: without thoughts that it did not sign.

    They are there when an earlier turn was answered by another provider; Anthropic refuses them.

    Returns:
        The same body if there are none.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not any(map(_has_foreign, messages)):
        return body
    kept = []
    for message in messages:
        if _has_foreign(message):
            content = [block for block in message["content"] if not _is_foreign(block)]
            kept += [message | {"content": content}] if content else []
        else:
            kept.append(message)
    return body | {"messages": kept}


def _has_foreign(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(map(_is_foreign, content))


def _is_foreign(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    is_unsigned = block.get("type") == "thinking" and not block.get("signature")
    return is_unsigned or a_text(block.get("data")).startswith(_PACKED)
