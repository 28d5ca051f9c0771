"""The providers that speak OpenAI's chat completions: OpenAI, OpenRouter, Groq.

Source: openrouter.ai/docs/api/reference/errors-and-debugging, groq 1.7 chat_completion_chunk.py,
read 2026-11-25; facts of OpenRouter and Groq, 2026-11-22.
"""

from __future__ import annotations

from typing import Literal

from lib.domain.llm.dialects import Decoder, Options, Stamp
from lib.domain.llm.openai_answer import ChatDecoder, checked_answer
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json

Kind = Literal["openai", "openrouter", "groq"]

_NOT_THEIRS = frozenset(("reasoning", "top_k"))  # OpenRouter's; the others answer 400
_LACKS: dict[Kind, frozenset[str]] = {
    "openai": _NOT_THEIRS,
    "openrouter": frozenset(),
    "groq": _NOT_THEIRS | {"logit_bias", "logprobs", "top_logprobs"},
}
_THOUGHTS = frozenset(("reasoning", "reasoning_content", "reasoning_details"))
_LACKS_IN_MESSAGES: dict[Kind, frozenset[str]] = {
    "openai": _THOUGHTS,
    "openrouter": frozenset(),
    "groq": _THOUGHTS | {"name"},
}
_SAMPLING = frozenset(("temperature", "top_p", "top_k"))


class OpenAiProvider:
    """One of them.

    Args:
        kind: whose habits to follow.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def request_from(self, chat: Json, options: Options) -> Json:
        """The chat without what this provider refuses, with what the table says of the model.

        Raises:
            NotForThisModel: several answers are asked of Groq.
        """
        if self._kind == "groq" and chat.get("n", 1) != 1:
            raise NotForThisModel("Groq gives one answer: ask for n = 1")
        lacks = _LACKS[self._kind] | {"stream_options"}
        if not options.temperature:
            lacks |= _SAMPLING
        request = {key: value for key, value in chat.items() if key not in lacks}
        request["messages"] = [self._message_from(message) for message in chat["messages"]]
        if chat.get("stream"):
            request["stream_options"] = {"include_usage": True}
        if self._kind == "openrouter":
            request["usage"] = {"include": True}  # brings the price
        if options.max_tokens and not chat.keys() & {"max_tokens", "max_completion_tokens"}:
            request["max_completion_tokens"] = options.max_tokens
        if options.think is not None and not chat.keys() & {"reasoning", "reasoning_effort"}:
            request |= self._thinking(options.think)
        return request | (options.extra or {})

    def chat_from(self, answer: Json, stamp: Stamp) -> Json:
        """The answer with its thoughts in ``reasoning_content``; unknown fields are kept.

        Raises:
            PotokError: it is an error, or has no choices.
        """
        return checked_answer(answer, stamp)

    def decoder(self, stamp: Stamp) -> Decoder:
        """What reads the stream."""
        return ChatDecoder(stamp)

    def _message_from(self, message: Json) -> Json:
        lacks = _LACKS_IN_MESSAGES[self._kind]
        kept = {key: value for key, value in message.items() if key not in lacks}
        if (thought := kept.pop("reasoning_content", None)) and not kept.get("reasoning_details"):
            kept["reasoning"] = thought  # OpenRouter's name for it
        return kept

    def _thinking(self, think: bool | str) -> Json:
        if isinstance(think, str):
            return {"reasoning_effort": think}
        if self._kind == "openrouter":
            return {"reasoning": {"enabled": think}}
        return {} if think else {"reasoning_effort": "none"}
