"""Anthropic's models for clients of chat.

Source: facts "OpenAI <-> Anthropic pitfalls", 2026-11-22; types of anthropic 2.14.0, read
2026-11-25.
"""

from __future__ import annotations

from lib.domain.llm.anthropic_decoder import AnthropicDecoder
from lib.domain.llm.anthropic_effort import thinking_for
from lib.domain.llm.anthropic_formats import schema_in
from lib.domain.llm.anthropic_shape import FINISH_REASONS, chat_usage_from, json_text, need
from lib.domain.llm.anthropic_thoughts import thoughts_from
from lib.domain.llm.anthropic_tools import tools_from
from lib.domain.llm.anthropic_turns import is_unsigned_call_answered, turns_from
from lib.domain.llm.dialects import Options, Stamp
from lib.domain.llm.loose import a_text, an_object, objects_among
from lib.domain.llm.refusals import NotForThisModel, refusal_from, said_in, status_in
from lib.domain.llm.wire import Json
from lib.errors import Rejected, Unavailable

MAX_TOKENS = 4096  # of an answer, when neither the request nor the table says

_OFF = {"type": "disabled"}


class AnthropicProvider:
    """The Messages API. See ``ProviderDialect``.

    Fields of chat that Anthropic has no word for and that only shade an answer (seed, penalties,
    logit_bias, logprobs, a tool's ``strict``) are left out, as its own compatible door does.
    """

    def request_from(self, chat: Json, options: Options) -> Json:
        """The Messages request of a chat request.

        Raises:
            Rejected: it is wrong. NotForThisModel: several answers are wanted, or JSON without a
                schema: Anthropic gives neither, and an instruction of ours would not ensure it.
        """
        chat = {key: v for key, v in need(chat, dict, "the body").items() if v is not None}
        if chat.get("n", 1) != 1:
            raise NotForThisModel("n: Anthropic gives one answer, ask for n=1")
        system, turns = turns_from(chat)
        request: Json = {"model": need(chat.get("model"), str, "model"), "messages": turns}
        request |= {"system": system} if system else {}
        request |= tools_from(chat) | _bounds(chat)
        said = _said_max_tokens(chat) or options.max_tokens
        thinking, extra_tokens = thinking_for(
            chat,
            options,
            said,
            is_forced=an_object(request.get("tool_choice")).get("type") in ("any", "tool"),
            is_unsigned=is_unsigned_call_answered(turns),
        )
        request |= {"max_tokens": said or MAX_TOKENS + extra_tokens}
        if options.temperature and thinking.get("thinking", _OFF) == _OFF:
            request |= _sampling(chat)
        request |= thinking
        if schema := schema_in(chat):
            schema_format = {"type": "json_schema", "schema": schema}
            request["output_config"] = request.get("output_config", {}) | {"format": schema_format}
        return request | (options.extra or {})

    def chat_from(self, answer: Json, stamp: Stamp) -> Json:
        """The chat answer of a message.

        Raises:
            PotokError: the answer is an error with status 200, or no message.
        """
        answer = an_object(answer)
        if answer.get("type") == "error" or "error" in answer:
            raise refusal_from(status_in(answer.get("error")), said_in(answer))
        if not isinstance(answer.get("content"), list):
            raise Unavailable("Anthropic's answer is no message: it has no content")
        blocks = objects_among(answer["content"])
        texts = [a_text(block.get("text")) for block in blocks if block.get("type") == "text"]
        calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
        text = "".join(texts)
        message: Json = {"role": "assistant", "content": None if calls and not text else text}
        message |= thoughts_from(blocks)
        message |= {"tool_calls": calls} if calls else {}
        finish_reason = FINISH_REASONS.get(a_text(answer.get("stop_reason")), "stop")
        return {
            "id": f"chatcmpl-{stamp.id}",
            "object": "chat.completion",
            "created": stamp.created,
            "model": stamp.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": chat_usage_from(answer.get("usage")),
        }

    def decoder(self, stamp: Stamp) -> AnthropicDecoder:
        """What reads the events of a message."""
        return AnthropicDecoder(stamp)


def _said_max_tokens(chat: Json) -> int | None:
    for field in ("max_completion_tokens", "max_tokens"):
        if field in chat:
            if need(chat[field], int, field) < 1:
                raise Rejected(f"{field} is below 1")
            return int(chat[field])
    return None


def _bounds(chat: Json) -> Json:
    found: Json = {}
    stops = chat.get("stop", [])
    stops = [stops] if isinstance(stops, str) else need(stops, list, "stop")
    stops = [need(stop, str, f"stop[{n}]") for n, stop in enumerate(stops)]
    if seen := [stop for stop in stops if stop.strip()]:
        found["stop_sequences"] = seen
    if user := chat.get("user"):
        found["metadata"] = {"user_id": need(user, str, "user")}
    if need(chat.get("stream", False), bool, "stream"):
        found["stream"] = True
    return found


def _sampling(chat: Json) -> Json:
    """Temperature within 0..1, or top_p: Claude 4.5 and later refuse both at once."""
    found: Json = {}
    if "temperature" in chat:
        found["temperature"] = min(1.0, max(0.0, need(chat["temperature"], float, "temperature")))
    elif "top_p" in chat:
        found["top_p"] = need(chat["top_p"], float, "top_p")
    if "top_k" in chat:
        found["top_k"] = need(chat["top_k"], int, "top_k")
    return found


def _tool_call(block: Json) -> Json:
    arguments = json_text(an_object(block.get("input")))
    if arguments is None:
        raise Unavailable("Anthropic's answer has a tool call nested too deep")
    function = {"name": a_text(block.get("name")), "arguments": arguments}
    return {"id": a_text(block.get("id")), "type": "function", "function": function}
