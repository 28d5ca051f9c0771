"""What a dialect has to offer. The language between them is OpenAI's chat completion.

client ──► chat request ──► provider's request
client ◄── chat answer, chat chunks ◄── provider's answer, provider's events

A client's dialect is a `ClientDialect`, a provider's a `ProviderDialect`. Where both are the same
nothing is translated. Chat requests, answers and chunks are plain dictionaries in OpenAI's shape,
with the field's usual additions:

- ``reasoning_content`` (text) in a message and a delta: what the model thought;
- ``reasoning_details`` in a message and a delta, as OpenRouter has it: what a provider wants back
  unchanged, such as ``{"type": "reasoning.text", "text": …, "signature": …, "index": 0}``;
- a stream is: a first chunk with the role, chunks of content, thoughts and tool calls (each call's
  first delta has ``index``, ``id``, ``type``, ``function.name``), one chunk with ``finish_reason``,
  and a last one with ``choices: []`` and ``usage``.

Source: platform.openai.com/docs/api-reference/chat, read 2026-11-22.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lib.domain.llm.wire import Event, Json


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the rules cannot make up themselves.

    Attributes:
        id: of this answer, without a prefix: letters and digits, unique.
        created: seconds since 1970.
        model: the model's name as the client is to see it.
    """

    id: str
    created: int
    model: str


@dataclass(frozen=True, slots=True)
class Options:
    """What the table says of a model; None: nothing.

    Attributes:
        num_ctx: Ollama's context, tokens; constant, for a change loads the model anew.
        keep_alive: how long Ollama keeps the model, such as ``30m`` or -1.
        think: whether a model that can think does, unless the request says.
        max_tokens: of an answer, unless the request says; Anthropic wants one.
        temperature: whether the model takes temperature, top_p and top_k.
        extra: fields added to the provider's request, such as OpenRouter's ``provider``.
    """

    num_ctx: int | None = None
    keep_alive: str | int | None = None
    think: bool | str | None = None
    max_tokens: int | None = None
    temperature: bool = True
    extra: dict[str, Any] | None = None


class Encoder(Protocol):
    """Chat chunks into the bytes of a client's stream."""

    def feed(self, chunk: Json) -> bytes:
        """The bytes for one chunk; b"" when there is nothing to say yet."""

    def end(self) -> bytes:
        """The bytes that end a stream that went well."""

    def fail(self, status: int, message: str) -> bytes:
        """The bytes that end a stream that broke: an error event of this dialect."""


class ClientDialect(Protocol):
    """How a client asks and is answered."""

    media_type: str  # of a stream

    def chat_from(self, body: Json) -> Json:
        """The chat request of a client's body, ``model`` and ``stream`` included.

        Raises:
            Rejected: the body is wrong, or asks for what cannot be translated; in one line.
        """

    def answer_from(self, answer: Json, asked: Json, stamp: Stamp) -> Json:
        """A chat answer in the client's shape; ``asked`` is the client's body."""

    def encoder(self, asked: Json, stamp: Stamp) -> Encoder:
        """What makes the client's stream."""

    def error_from(self, status: int, code: str, message: str) -> Json:
        """An error's body; ``code`` is such as ``model_not_found``."""


class Decoder(Protocol):
    """A provider's events into chat chunks."""

    def feed(self, event: Event) -> list[Json]:
        """The chunks of an event.

        Raises:
            PotokError: the event is an error, or garbage. ``lib.domain.llm.refusals`` says which.
        """

    def end(self) -> list[Json]:
        """The last chunks, once the stream is over.

        Raises:
            Unavailable: it broke off before its own end.
        """


class ProviderDialect(Protocol):
    """How a provider is asked and answers."""

    def request_from(self, chat: Json, options: Options) -> Json:
        """The provider's request for a chat request; ``model`` is the provider's own name.

        Raises:
            Rejected: it asks for what this provider does not have.
        """

    def chat_from(self, answer: Json, stamp: Stamp) -> Json:
        """The chat answer of a provider's answer.

        Raises:
            PotokError: the answer is an error with status 200, or no answer.
        """

    def decoder(self, stamp: Stamp) -> Decoder:
        """What reads the provider's stream."""
