"""Errors as Anthropic's clients know them.

Source: anthropic 2.14.0 (``ErrorObject``), platform.claude.com/docs/en/api/errors, read 2026-11-25.
"""

from __future__ import annotations

from lib.domain.llm.wire import Json

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_from(status: int, message: str) -> Json:
    """The body of an error, which is the payload of an ``error`` event too."""
    otherwise = "api_error" if status >= 500 else "invalid_request_error"
    return {
        "type": "error",
        "error": {"type": _TYPES.get(status, otherwise), "message": message},
    }
