"""What is answered where there is no door, or not for this method: in the dialect of the path."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lib.domain.llm.asks import ANTHROPIC, OLLAMA, OPENAI
from lib.gateway.llm.door import ErrorDialect, error_body
from lib.gateway.llm.errors import Answer

PATH_CHARS = 100


async def no_door(request: Request, error: Exception) -> Response:
    """A 404 or 405 that the client's own SDK can read."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = error.headers if isinstance(error, HTTPException) else None
    asked = f"{request.method} {request.scope['path'][:PATH_CHARS]}"
    words = f"there is no {asked} here"
    if allowed := (headers or {}).get("Allow"):
        words += f": ask by {allowed}"
    told = Answer(status, "unknown_url", words)
    body = error_body(_dialect(request), told)
    return Response(body, status, headers, "application/json")


def _dialect(request: Request) -> ErrorDialect:
    path = request.scope["path"]
    if path.startswith("/api/"):
        return OLLAMA
    is_anthropic = path.startswith("/v1/messages") or "anthropic-version" in request.headers
    return ANTHROPIC if is_anthropic else OPENAI
