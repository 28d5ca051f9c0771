"""The door of the stand-ins for model vendors: who comes, and with what."""

from __future__ import annotations

import orjson
from starlette.requests import Request

from deployments.sandbox.model_talk import Json
from deployments.sandbox.refusals import Refused

_SECRET = {"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie"}


def key_in(request: Request, header: str = "") -> str:
    """The caller's key: a bearer's, or that of a header; "" without one."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return (key.strip() if scheme.lower() == "bearer" else "") or request.headers.get(header, "")


def is_wrong(key: str) -> bool:
    """Any key opens a stand-in, but one that says that it is wrong."""
    return key.startswith("wrong")


def body_from(raw: bytes) -> Json:
    """The JSON object of a body; {} of an empty one.

    Raises:
        Refused: it is none.
    """
    if not raw.strip():
        return {}
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Refused(400, f"The body is not valid JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise Refused(400, "The body is not a JSON object")
    return body


def entry_of(request: Request, raw: bytes) -> Json:
    """What the journal keeps of a request; its path begins below the vendor's address."""
    return {
        "method": request.method,
        "path": request.scope["path"].removeprefix(request.scope.get("root_path", "")),
        "query": request.url.query,
        "headers": {name: _safe(name, value) for name, value in request.headers.items()},
        "body": raw.decode("utf-8", "backslashreplace"),
    }


def _safe(name: str, value: str) -> str:
    if name not in _SECRET:
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} ***" if space else "***"
