"""What a provider's refusal means: try the next candidate, or tell the client?

Source: facts of OpenAI, OpenRouter, Groq, Anthropic and Ollama, read 2026-11-22.
"""

from __future__ import annotations

from typing import Any

from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable

SAID_CHARS = 300
PAUSE_S = 5.0


class NoSuchModel(Rejected):
    """The provider does not have the model; another candidate may."""


class NotForThisModel(Rejected):
    """This candidate cannot do what is asked; another one may."""


def refusal_from(status: int, said: str, retry_after_s: float | None = None) -> PotokError:
    """Our error for a provider's HTTP status, or for the code of an error inside a 200.

    Args:
        status: HTTP status; Anthropic's 529 and Groq's 498 included.
        said: the provider's own words; cut short here. They may quote the prompt: they go to the
            client who wrote it, never to a log.
        retry_after_s: what the provider asks for, seconds.
    """
    words = f"{status}: {said[:SAID_CHARS]}" if said else f"status {status}"
    if status in {401, 402, 403, 407, 451}:
        return Denied(words)
    if status == 404:
        return NoSuchModel(words)
    # Ollama, of a model without embeddings: it is well, and will never do it. 413: too large for
    # this one; another takes more.
    if status in {413, 501}:
        return NotForThisModel(words)
    if status == 429:
        return RateLimited(words, PAUSE_S if retry_after_s is None else retry_after_s)
    if status in {408, 409, 425, 498} or status >= 500:
        if retry_after_s is not None:
            return RateLimited(words, retry_after_s)
        return Unavailable(words)
    return Rejected(words)


def said_in(body: Any) -> str:
    """A provider's own words in the body of an error, whichever dialect it is of."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(error.get("message") or error.get("type") or "")
    if isinstance(error, str):
        return error
    return str(body.get("message") or "") if isinstance(body, dict) else ""


def status_in(error: Any, otherwise: int = 502) -> int:
    """The status that an error inside a 200 stands for.

    Args:
        error: the value of ``error``: OpenRouter's ``{"code": 429}``, Anthropic's
            ``{"type": "overloaded_error"}``, Ollama's text.
    """
    if isinstance(error, dict):
        code = error.get("code")
        if isinstance(code, int) and 400 <= code <= 599:
            return code
        return _BY_TYPE.get(str(error.get("type") or code), otherwise)
    return otherwise


_BY_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "timeout_error": 504,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}
