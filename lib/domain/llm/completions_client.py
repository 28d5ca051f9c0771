"""Clients of OpenAI's old /v1/completions.

For a provider that has only chat, the prompt is one message of a user. Ollama's models are asked
by ``lib.domain.llm.fim`` instead; the answers come back through here in both cases.

Source: platform.openai.com/docs/api-reference/completions, read 2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass

from lib.domain.llm.checked import optional, required
from lib.domain.llm.chunks import choice_in, counts_in, usage_of
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.fim import is_templated, prompt_in
from lib.domain.llm.loose import a_text, an_object
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import SSE_MEDIA, Json, sse

_SAME = (
    "frequency_penalty",
    "logit_bias",
    "max_tokens",
    "presence_penalty",
    "seed",
    "stop",
    "temperature",
    "top_p",
    "user",
)


class CompletionsClient:
    """A ``ClientDialect``: POST /v1/completions."""

    media_type = SSE_MEDIA

    def chat_from(self, body: Json) -> Json:
        """The chat request of a body: its prompt is the user's message.

        Raises:
            Rejected: the body is wrong.
            NotForThisModel: it wants a middle filled in, which no chat model does.
        """
        prompt = prompt_in(body)
        if optional(body, "suffix", str) or is_templated(prompt):
            raise NotForThisModel("this model chats only: it fills in no middle; ask an Ollama one")
        stream = bool(optional(body, "stream", bool))
        return {
            "model": required(body, "model", str),
            "messages": [{"role": "user", "content": prompt}],
            "stream": stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
            **{key: body[key] for key in _SAME if body.get(key) is not None},
        }

    def answer_from(self, answer: Json, asked: Json, stamp: Stamp) -> Json:
        """The answer as a ``text_completion``; thoughts have no place in one."""
        choice = choice_in(answer)
        text = a_text(an_object(choice.get("message")).get("content"))
        finish = _finish_from(choice) or "stop"
        return _completion(text, finish, stamp) | {"usage": usage_of(*counts_in(answer))}

    def encoder(self, asked: Json, stamp: Stamp) -> CompletionsEncoder:
        """What makes the client's stream."""
        wants = an_object(asked.get("stream_options")).get("include_usage")
        return CompletionsEncoder(stamp, wants is True)

    def error_from(self, status: int, code: str, message: str) -> Json:
        """As in chat completions."""
        return OpenAiClient().error_from(status, code, message)


@dataclass(slots=True)
class CompletionsEncoder:
    """Chat chunks into the events of a text's stream.

    Attributes:
        wants_usage: whether the client asked for the chunk that counts tokens.
    """

    stamp: Stamp
    wants_usage: bool

    def feed(self, chunk: Json) -> bytes:
        """The event of a chunk; b"" when it has no text, no end and no usage."""
        choice = choice_in(chunk)
        text = a_text(an_object(choice.get("delta")).get("content"))
        finish = _finish_from(choice)
        said = sse(_completion(text, finish, self.stamp)) if text or finish else b""
        if self.wants_usage and chunk.get("usage"):
            counted = {"choices": [], "usage": usage_of(*counts_in(chunk))}
            said += sse(_completion("", None, self.stamp) | counted)
        return said

    def end(self) -> bytes:
        """The event that ends a stream."""
        return sse(b"[DONE]")

    def fail(self, status: int, message: str) -> bytes:
        """The event that ends a stream that broke."""
        return sse(CompletionsClient().error_from(status, "upstream_error", message))


def _completion(text: str, finish: str | None, stamp: Stamp) -> Json:
    return {
        "id": f"cmpl-{stamp.id}",
        "object": "text_completion",
        "created": stamp.created,
        "model": stamp.model,
        "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}],
    }


def _finish_from(choice: Json) -> str | None:
    finish = choice.get("finish_reason")
    return finish if finish in (None, "length", "content_filter") else "stop"
