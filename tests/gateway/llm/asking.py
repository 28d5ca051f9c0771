"""Questions to the door, and tables for the tests of the router."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.gateway.llm.open_house import Open

GROQ = {"provider": "groq", "model": "openai/gpt-oss-20b"}
OPENROUTER = {"provider": "openrouter", "model": "deepseek/deepseek-r1-0528"}
OLLAMA = {"provider": "ollama", "model": "llama3.1:8b"}
CLAUDE = {"provider": "anthropic", "model": "claude-opus-4-6", "max_tokens": 4096}


def chat(model: str = "pair", text: str = "ping", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def alias(door: Open, name: str, *candidates: dict[str, Any], **fields: Any) -> None:
    """Have the table say who answers for a name."""
    door.write({"aliases": {name: {"candidates": list(candidates), **fields}}})


def provider(door: Open, name: str, **changes: Any) -> None:
    """Change what the table says of a provider."""
    door.write({"providers": {name: door._said["providers"][name] | changes}})


def pair(door: Open) -> None:
    """``pair``: Groq with one try, then OpenRouter."""
    provider(door, "groq", tries=1)
    alias(door, "pair", GROQ, OPENROUTER)


def text_of(answer: httpx.Response) -> str:
    """What a chat says, whole or as a stream's bytes."""
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


@asynccontextmanager
async def streaming(
    door: Open, body: dict[str, Any], path: str = "/v1/chat/completions"
) -> AsyncIterator[httpx.Response]:
    """A stream that can be left."""
    headers = {"authorization": f"Bearer {door.key}"}
    async with door.http.stream("POST", door.url + path, json=body, headers=headers) as answer:
        yield answer


async def count(door: Open, vendor: str, name: str) -> int:
    return int((await door.state(vendor))["counts"].get(name, 0))
