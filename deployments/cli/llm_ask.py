"""``potok llm ask``: one question through the door that runs, as any tool would ask it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
import typer

from deployments.cli.store import on_screen
from lib.errors import Rejected, Unavailable

TIMEOUT = httpx.Timeout(600.0, connect=5.0)  # a cold model may think for minutes


async def ask(url: str, key: str, alias: str, text: str) -> None:
    """Print an answer as it comes.

    Args:
        url: of the door, without ``/v1``.
        alias: or a real model that the key may ask for.

    Raises:
        Unavailable: nobody answers, or the answer broke off.
        Rejected: the door refuses the question; the line has its words.
    """
    said = ""
    try:
        async with aclosing(pieces(url, key, alias, text)) as answer:
            async for piece in answer:
                said = on_screen(piece)
                typer.echo(said, nl=False)
    finally:
        if said and not said.endswith("\n"):
            typer.echo()


async def pieces(url: str, key: str, alias: str, text: str) -> AsyncGenerator[str, None]:
    """The pieces of an answer."""
    body = {"model": alias, "messages": [{"role": "user", "content": text}], "stream": True}
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client,
            client.stream(
                "POST", f"{url}/v1/chat/completions", json=body, headers=headers
            ) as response,
        ):
            if response.status_code != 200:
                raise Rejected(_refusal(response.status_code, await response.aread()))
            async for line in response.aiter_lines():
                if piece := _piece(line):
                    yield piece
    except httpx.ConnectError:
        raise Unavailable(f"nobody answers at {url}: `potok up` starts the door") from None
    except httpx.HTTPError as exc:
        raise Unavailable(f"the answer broke off ({type(exc).__name__})") from None


def _piece(line: str) -> str:
    if not line.startswith("data:") or line.endswith("[DONE]"):
        return ""
    chunk = json.loads(line.removeprefix("data:"))
    if "error" in chunk:
        raise Unavailable(on_screen(_words(chunk)))
    return "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))


def _refusal(status: int, body: bytes) -> str:
    try:
        return on_screen(_words(json.loads(body)))
    except (ValueError, TypeError, KeyError):
        return f"the door answers HTTP {status}"


def _words(body: Any) -> str:
    return " ".join(str(body["error"]["message"]).split())
