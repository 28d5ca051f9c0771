"""Reading a request's body within limits of size and time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from lib.errors import Rejected

MAX_BODY_BYTES = 1_000_000
BODY_TIMEOUT_S = 10.0


class TooLarge(Rejected):
    """The body is larger than a door takes."""


class TooSlow(Rejected):
    """The body did not arrive in time."""


async def read_body(
    request: Request, limit_bytes: int = MAX_BODY_BYTES, within_s: float = BODY_TIMEOUT_S
) -> bytes:
    """The whole body.

    Raises:
        TooLarge: it is, or says it is, above the limit; the rest was not read.
        TooSlow: it did not arrive within ``within_s``.
        Rejected: the caller hung up.
    """
    too_large = check_length(request, limit_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit_bytes:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError as exc:
        raise TooSlow(f"the body took more than {within_s:.0f} s") from exc
    except ClientDisconnect as exc:
        raise Rejected("the caller hung up") from exc
    return b"".join(chunks)


def check_length(request: Request, limit_bytes: int) -> TooLarge:
    """Raise TooLarge when a body says that it is; else give it, for one that turns out to be."""
    too_large = TooLarge(f"the body is above {limit_bytes} bytes")
    said = request.headers.get("content-length", "").lstrip("0")
    if said.isascii() and said.isdigit() and (len(said) > 18 or int(said) > limit_bytes):
        raise too_large
    return too_large


def json_object_from(raw: bytes) -> dict[str, Any]:
    """A body as a JSON object.

    Raises:
        Rejected: it is not JSON, or not an object.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Rejected(f"the body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise Rejected("the body is not a JSON object")
    return body
