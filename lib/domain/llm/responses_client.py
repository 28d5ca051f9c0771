"""The dialect of POST /v1/responses, without a memory.

Cursor posts bodies of this shape to /v1/chat/completions (agent mode), and reads a chat answer:
there the door takes ``ResponsesClient.chat_from`` and answers with ``OpenAiClient``:

    reading = ResponsesClient() if is_responses_shaped(body) else OpenAiClient()
    chat = reading.chat_from(body)
    … OpenAiClient().encoder(body, stamp) …

Source: docs.litellm.ai/docs/proxy/cursor (a Responses body in, a chat answer out), read 2026-11-25;
CLIProxyAPI#658.
"""

from __future__ import annotations

from lib.domain.llm.dialects import Encoder, Stamp
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.responses_encoder import ResponsesEncoder
from lib.domain.llm.responses_request import chat_request_from
from lib.domain.llm.wire import SSE_MEDIA, Json


def is_responses_shaped(body: Json) -> bool:
    """Whether a body is meant for Responses: ``input``, and no or empty ``messages``."""
    return body.get("input") is not None and not body.get("messages")


class ResponsesClient:
    """How Codex, the Agents SDK and Cursor ask."""

    media_type = SSE_MEDIA

    def chat_from(self, body: Json) -> Json:
        """The chat request of a Responses request; a ``Rejected`` names the parameter's path."""
        return chat_request_from(body)

    def answer_from(self, answer: Json, asked: Json, stamp: Stamp) -> Json:
        """The Response object; ``encrypted_content`` holds what the provider wants back."""
        return ResponsesEncoder(asked, stamp).whole(answer)

    def encoder(self, asked: Json, stamp: Stamp) -> Encoder:
        """What makes the stream: numbered events, ``response.created`` to ``.completed``."""
        return ResponsesEncoder(asked, stamp)

    def error_from(self, status: int, code: str, message: str) -> Json:
        """As in chat completions."""
        return OpenAiClient().error_from(status, code, message)
