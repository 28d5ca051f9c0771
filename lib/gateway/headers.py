"""Bounds on what a request says of itself."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_HEADERS = 100
MAX_HEADERS_BYTES = 32_768  # names and values; proxies themselves pass 8 to 64 KB

_ANSWER = {
    "ok": False,
    "error": "TooManyHeaders",
    "detail": f"more than {MAX_HEADERS} headers, or than {MAX_HEADERS_BYTES} bytes of them",
}


class BoundedHeaders:
    """Answers 431 where headers are too many or too long; uvicorn's fast parser bounds neither."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        headers = scope.get("headers", ())
        if len(headers) <= MAX_HEADERS and _bytes(headers) <= MAX_HEADERS_BYTES:
            await self._app(scope, receive, send)
        else:
            answer = JSONResponse(_ANSWER, 431, {"Connection": "close"})
            await answer(scope, receive, send)


def _bytes(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)
