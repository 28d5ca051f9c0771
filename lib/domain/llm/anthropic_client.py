"""Clients that speak Anthropic's Messages, such as Claude Code, and models that do not.

Source: anthropic 2.14.0 (types), code.claude.com/docs/en/llm-gateway-protocol, read 2026-11-25.
"""

from __future__ import annotations

from lib.domain.llm.anthropic_client_messages import messages_from
from lib.domain.llm.anthropic_effort import effort_from
from lib.domain.llm.anthropic_encoder import AnthropicEncoder
from lib.domain.llm.anthropic_errors import error_from
from lib.domain.llm.anthropic_formats import response_format_from
from lib.domain.llm.anthropic_shape import need, stop_reason_from, usage_from
from lib.domain.llm.anthropic_thoughts import blocks_of
from lib.domain.llm.anthropic_tools import chat_tools_from
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.loose import a_text, an_object, object_in, objects_among
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import SSE_MEDIA, Json
from lib.errors import Rejected

_USER_CHARS = 64  # OpenAI takes no more, OpenRouter 128; Claude Code sends 150
_FILES = ["base64", "url", "file"]
_PICTURE_TOKENS = 1600
_UNSEEN = {"cache_control", "signature"}


class AnthropicClient:
    """A client of /v1/messages whose model is another provider's. See ``ClientDialect``."""

    media_type = SSE_MEDIA

    def chat_from(self, body: Json) -> Json:
        """The chat request of a Messages request.

        Raises:
            Rejected: the body is wrong. NotForThisModel: only Anthropic's own models can do it.
        """
        body = {key: v for key, v in need(body, dict, "the body").items() if v is not None}
        if body.get("mcp_servers"):
            raise NotForThisModel("mcp_servers: only Anthropic's models call MCP servers")
        chat: Json = {
            "model": need(body.get("model"), str, "model"),
            "messages": messages_from(body),
        }
        for field in ("temperature", "top_p", "top_k"):
            if field in body:
                chat[field] = need(body[field], float, field)
        return (
            chat
            | _bounds(body)
            | chat_tools_from(body)
            | effort_from(body)
            | response_format_from(body)
        )

    def answer_from(self, answer: Json, asked: Json, stamp: Stamp) -> Json:
        """A chat answer as a message.

        A call whose arguments are no JSON object gets them as ``{"arguments": text}``: the client
        refuses them by the tool's schema, and the model tries again.
        """
        choice = next(iter(objects_among(answer.get("choices"))), {})
        message = an_object(choice.get("message"))
        content = blocks_of(message)
        if text := a_text(message.get("content")) or a_text(message.get("refusal")):
            content.append({"type": "text", "text": text})
        calls = objects_among(message.get("tool_calls"))
        content += [_tool_use(call, f"toolu_{stamp.id}_{n}") for n, call in enumerate(calls)]
        return {
            "id": f"msg_{stamp.id}",
            "type": "message",
            "role": "assistant",
            "model": stamp.model,
            "content": content,
            "stop_reason": stop_reason_from(choice.get("finish_reason"), bool(calls)),
            "stop_sequence": None,
            "usage": usage_from(answer.get("usage")),
        }

    def encoder(self, asked: Json, stamp: Stamp) -> AnthropicEncoder:
        """What makes the events of a message."""
        return AnthropicEncoder(stamp)

    def error_from(self, status: int, code: str, message: str) -> Json:
        """An error's body: the type that the SDKs know for the status."""
        return error_from(status, message)


def count_tokens_estimate(body: Json) -> int:
    """About how many tokens a request is, for /v1/messages/count_tokens without Anthropic.

    3.5 UTF-8 bytes are a token: close for English, code and Russian, and rather too many than too
    few; a picture or a file is 1600, what Anthropic's largest picture takes. Names of fields count
    too: they stand for the marks that a model sets between messages.
    """
    size_bytes, pictures = 0, 0
    waiting = [body.get(key) for key in ("system", "messages", "tools")]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict) and an_object(found.get("source")).get("type") in _FILES:
            pictures += 1
        elif isinstance(found, dict):
            waiting += [part for item in found.items() if item[0] not in _UNSEEN for part in item]
        elif found is not None:
            size_bytes += len(str(found).encode("utf-8", "replace"))
    return max(1, size_bytes * 2 // 7 + pictures * _PICTURE_TOKENS)


def _bounds(body: Json) -> Json:
    found: Json = {}
    if "max_tokens" in body:
        found["max_tokens"] = need(body["max_tokens"], int, "max_tokens")
        if found["max_tokens"] < 1:
            raise Rejected("max_tokens is below 1: this model has no cache to warm")
    if "stop_sequences" in body:
        stops = need(body["stop_sequences"], list, "stop_sequences")
        stops = [need(stop, str, f"stop_sequences[{n}]") for n, stop in enumerate(stops)]
        found |= {"stop": stops} if stops else {}
    if user := need(body.get("metadata", {}), dict, "metadata").get("user_id"):
        found["user"] = need(user, str, "metadata.user_id")[:_USER_CHARS]
    if need(body.get("stream", False), bool, "stream"):
        found |= {"stream": True, "stream_options": {"include_usage": True}}
    return found


def _tool_use(call: Json, otherwise_id: str) -> Json:
    function = an_object(call.get("function"))
    arguments = a_text(function.get("arguments"))
    found = object_in(arguments)
    return {
        "type": "tool_use",
        "id": a_text(call.get("id")) or otherwise_id,
        "name": a_text(function.get("name")),
        "input": {"arguments": arguments} if found is None else found,
    }
