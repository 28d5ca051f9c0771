"""The dialect of POST /v1/chat/completions; the language between the dialects is its own.

Its stream is plain ``data: …`` events that end with LF LF: Dify splits it there and stumbles over
comments. A stream that breaks ends with an error event and without ``[DONE]``, as OpenAI's does:
openai's SDK raises APIError and Dify ValueError at an event with ``error`` and no ``choices``, and
who reads on for ``[DONE]`` must not take what came for the whole.

Source: platform.openai.com/docs/api-reference/chat, read 2026-11-22; openai 3.57, _streaming.py,
and dify_plugin's openai_compatible/llm.py, read 2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass

from lib.domain.llm.dialects import Encoder, Stamp
from lib.domain.llm.fields import param_in
from lib.domain.llm.openai_request import checked_chat
from lib.domain.llm.wire import SSE_MEDIA, Json, sse

_NO_BUDGET = "insufficient_quota"
_TYPES = {
    401: "authentication_error",
    402: _NO_BUDGET,
    403: "permission_error",
    429: "rate_limit_error",
}
_CODES = {
    401: "invalid_api_key",
    402: _NO_BUDGET,
    404: "model_not_found",
    429: "rate_limit_exceeded",
}


class OpenAiClient:
    """How Continue, Dify, Open WebUI and every SDK of OpenAI's ask."""

    media_type = SSE_MEDIA

    def chat_from(self, body: Json) -> Json:
        """The body itself, checked; a ``Rejected`` names the parameter by its path."""
        return checked_chat(body)

    def answer_from(self, answer: Json, asked: Json, stamp: Stamp) -> Json:
        """The answer itself."""
        return answer

    def encoder(self, asked: Json, stamp: Stamp) -> Encoder:
        """What makes the stream; ``asked`` may be Responses-shaped, as Cursor's bodies are."""
        options = asked.get("stream_options")
        return _ChatEncoder(bool(isinstance(options, dict) and options.get("include_usage")))

    def error_from(self, status: int, code: str, message: str) -> Json:
        """``{"error": {"message", "type", "param", "code"}}``; 402 and budgets: no quota."""
        kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {
            "error": {
                "message": message,
                "type": _NO_BUDGET if code == _NO_BUDGET else kind,
                "param": param_in(message),
                "code": code or _CODES.get(status),
            }
        }


@dataclass(frozen=True, slots=True)
class _ChatEncoder:
    includes_usage: bool

    def feed(self, chunk: Json) -> bytes:
        """The chunk as an event; the one with the usage only for who asked for it."""
        return sse(chunk) if chunk.get("choices") or self.includes_usage else b""

    def end(self) -> bytes:
        """``[DONE]``."""
        return sse(b"[DONE]")

    def fail(self, status: int, message: str) -> bytes:
        """An event with the error's body."""
        return sse(OpenAiClient().error_from(status, "", message))
