"""What the vendors behind the door were asked, each in its own dialect; and what came back."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.llm.open_house import Open
from tests.sandbox.model_box import FUNCTION, PNG, SCHEMA

TOOL_WISH = "Какая погода в Туле? two tools"
RESULT = "плюс семь, ветер"
REPEAT = "repeat 50"
SYSTEM = "Отвечай по-русски"
STOP = "КОНЕЦ"
HEAT = {"temperature", "top_p", "top_k"}
FIM = "<|fim_prefix|>def f():\n<|fim_suffix|>\nf()<|fim_middle|>"


async def got(door: Open, provider: str) -> dict[str, Any]:
    """The newest body."""
    found: dict[str, Any] = json.loads((await entry(door, provider))["body"])
    return found


async def entry(door: Open, provider: str) -> dict[str, Any]:
    """The newest request."""
    return (await door.journal(provider))[-1]


def system_in(provider: str, body: dict[str, Any]) -> str:
    """The system prompt of a body."""
    if provider == "anthropic":
        found = body.get("system", "")
        return found if isinstance(found, str) else found[0]["text"]
    if "prompt" in body:
        return str(body.get("system", ""))
    first = body["messages"][0]
    return str(first["content"]) if first["role"] in ("system", "developer") else ""


def stops_in(provider: str, body: dict[str, Any]) -> list[str]:
    """Where the answer is to stop."""
    options = body.get("options", {}) if provider == "ollama" else body
    found = options.get("stop_sequences" if provider == "anthropic" else "stop", [])
    return [found] if isinstance(found, str) else list(found)


def is_whole(text: str) -> bool:
    """Whether this is all that is said to REPEAT."""
    return text == "".join(f"слово-{number} " for number in range(1, 51))


def is_by_schema(text: str) -> bool:
    """Whether this is JSON that fits SCHEMA."""
    found = json.loads(text)
    return set(found) == {"city", "days"} and found["days"] >= 1


def dumped(message: Any) -> dict[str, Any]:
    """An SDK's message as a client sends it back."""
    found: dict[str, Any] = message.model_dump(exclude_none=True)
    return found


def said_in(chunks: list[Any]) -> dict[str, Any]:
    """The message of a stream of chat chunks, as a client sends it back."""
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    calls: dict[int, dict[str, Any]] = {}
    for piece in (piece for choice in choices for piece in choice.delta.tool_calls or ()):
        if piece.id:
            function = {"name": piece.function.name, "arguments": ""}
            calls[piece.index] = {"id": piece.id, "type": "function", "function": function}
        calls[piece.index]["function"]["arguments"] += piece.function.arguments or ""
    [finish] = [choice.finish_reason for choice in choices if choice.finish_reason]
    assert finish == ("tool_calls" if calls else "stop")
    text = "".join(choice.delta.content or "" for choice in choices)
    said: dict[str, Any] = {"role": "assistant", "content": text or None}
    return said | ({"tool_calls": [calls[n] for n in sorted(calls)]} if calls else {})


__all__ = ["FIM", "FUNCTION", "PNG", "REPEAT", "RESULT", "SCHEMA", "STOP", "SYSTEM", "TOOL_WISH"]
