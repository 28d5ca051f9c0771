"""The door of the stand-ins for model vendors: who comes, and with what."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from deployments.sandbox.model_talk import Json
from deployments.sandbox.refusals import Refused

KEPT_BYTES = 1_000_000  # of a body, in the journal
_SECRET = {"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie"}


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of a form."""

    name: str
    content: bytes


def key_in(request: Request, header: str = "") -> str:
    """The caller's key: a bearer's, or that of a header; "" without one."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return (key.strip() if scheme.lower() == "bearer" else "") or request.headers.get(header, "")


def is_wrong(key: str) -> bool:
    """Any key opens a stand-in, but one that says that it is wrong."""
    return key.startswith("wrong")


async def json_in(request: Request) -> Json:
    """The JSON object of a request; {} without a body; raises Refused when it is none."""
    return body_from(await request.body())


async def form_in(request: Request) -> Json:
    """The fields of a form; a list where the name ends with ``[]``, a file as `Recording`.

    Raises:
        Refused: it is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind != "multipart/form-data":
        raise Refused(400, "request Content-Type isn't multipart/form-data")
    found: Json = {}
    try:
        async with request.form(max_files=4, max_fields=50) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    found[name] = Recording(value.filename or "", await value.read())
                elif name.endswith("[]"):
                    found.setdefault(name, []).append(value)
                else:
                    found[name] = value
    except (HTTPException, MultiPartException) as exc:
        raise Refused(400, "the multipart form could not be read") from exc
    return found


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
        "body": raw[:KEPT_BYTES].decode("utf-8", "backslashreplace"),
    }


def _safe(name: str, value: str) -> str:
    if name not in _SECRET:
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} ***" if space else "***"
