"""What a client asks at each door, and how each kind of provider is asked the same.

Where a client and a provider speak one dialect, the client's own body goes on, and the answer's
bytes come back as they are. Else the question goes through OpenAI's chat completion.
"""

from __future__ import annotations

from dataclasses import replace

from lib.domain.llm import embeddings as vectors
from lib.domain.llm.anthropic_client import AnthropicClient, count_tokens_estimate
from lib.domain.llm.completions_client import CompletionsClient
from lib.domain.llm.dialects import ClientDialect, Stamp
from lib.domain.llm.exchange import Ask, Exchange, Question, Whole
from lib.domain.llm.exchanges import (
    OLLAMA_GENERATES,
    Exchanging,
    embedding,
    through_chat,
    to_anthropic,
    to_ollama,
    translated,
)
from lib.domain.llm.ollama_client import OllamaChatClient, OllamaGenerateClient
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.raw import dumped, object_of
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.responses_client import ResponsesClient, is_responses_shaped
from lib.domain.llm.table import Candidate, Kind
from lib.domain.llm.usage import usage_from
from lib.domain.llm.wire import SSE_MEDIA, Json
from lib.errors import Rejected

OPENAI = OpenAiClient()
ANTHROPIC = AnthropicClient()
OLLAMA = OllamaChatClient()
_RESPONSES = ResponsesClient()
_COMPLETIONS = CompletionsClient()
_GENERATE = OllamaGenerateClient()
NAME_CHARS = 200
_NOT_OF_THE_QUESTION = ("model", "stream", "stream_options", "user", "metadata", "store")


def chat(question: Question) -> Ask:
    """``/v1/chat/completions``; a Responses body is answered as a chat, as Cursor wants it."""
    reading = _RESPONSES if is_responses_shaped(question.body) else OPENAI
    return _asked("chat", OPENAI, question, through_chat(OPENAI, question, reading.chat_from))


def responses(question: Question) -> Ask:
    """``/v1/responses``."""
    exchange = through_chat(_RESPONSES, question, _RESPONSES.chat_from)
    return _asked("responses", _RESPONSES, question, exchange)


def completions(question: Question) -> Ask:
    """``/v1/completions``: Ollama completes the text itself, the others are asked in a chat."""
    model_in(question.body)

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind != "ollama":
            through = through_chat(_COMPLETIONS, question, _COMPLETIONS.chat_from)
            return through(kind, candidate, stamp)
        body = question.body | {"model": candidate.model}
        sent = OLLAMA_GENERATES.request_from(body, candidate.options)
        return translated("/api/generate", sent, OLLAMA_GENERATES, _COMPLETIONS, question, stamp)

    return _asked("completions", _COMPLETIONS, question, exchange)


def messages(question: Question) -> Ask:
    """``/v1/messages``: byte for byte to Anthropic, translated to the others."""

    def native(candidate: Candidate) -> Exchange:
        return to_anthropic("/v1/messages", question, candidate)

    exchange = through_chat(ANTHROPIC, question, ANTHROPIC.chat_from, {"anthropic": native})
    return _asked("messages", ANTHROPIC, question, exchange)


def tokens(question: Question) -> Ask:
    """``/v1/messages/count_tokens``: byte for byte to Anthropic, else estimated here."""

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind != "anthropic":
            raise NotForThisModel("it counts no tokens")
        found = to_anthropic("/v1/messages/count_tokens", question, candidate)
        return Exchange(
            found.path,
            found.payload,
            lambda raw: Whole(raw, usage_from(object_of(raw).get("usage"))),
            found.streaming,
            found.headers,
        )

    estimate = dumped({"input_tokens": count_tokens_estimate(question.body)})
    return replace(_asked("count_tokens", ANTHROPIC, question, exchange), estimate=estimate)


def ollama_chat(question: Question) -> Ask:
    """Ollama's ``/api/chat``."""
    native = {"ollama": to_ollama("/api/chat", question)}
    exchange = through_chat(OLLAMA, question, OLLAMA.chat_from, native)
    return _asked("api/chat", OLLAMA, question, exchange, streams=True)


def ollama_generate(question: Question) -> Ask:
    """Ollama's ``/api/generate``; a raw or suffixed prompt has no other provider."""
    native = {"ollama": to_ollama("/api/generate", question)}
    exchange = through_chat(_GENERATE, question, _GENERATE.chat_from, native)
    return _asked("api/generate", _GENERATE, question, exchange, streams=True)


def embeddings(question: Question) -> Ask:
    """``/v1/embeddings``."""

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind in ("groq", "anthropic"):
            raise NotForThisModel("it gives no embeddings")
        body = question.body | {"model": candidate.model}
        if kind != "ollama":
            return embedding("/embeddings", body, lambda answer: answer)
        return embedding(
            "/api/embed",
            vectors.embed_from(body, candidate.options),
            lambda answer: vectors.embeddings_from(answer, question.body, stamp),
        )

    return _vectors("embeddings", OPENAI, question, exchange)


def ollama_embed(question: Question) -> Ask:
    """Ollama's ``/api/embed``, and the older ``/api/embeddings``."""

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind in ("groq", "anthropic"):
            raise NotForThisModel("it gives no embeddings")
        asked = vectors.openai_embeddings_from(question.body) | {"model": candidate.model}

        def told(answer: Json) -> Json:
            return vectors.ollama_embeddings_from(answer, question.body, stamp)

        if kind != "ollama":
            return embedding("/embeddings", asked, told)
        return embedding(
            "/api/embed",
            vectors.embed_from(asked, candidate.options),
            lambda answer: told(vectors.embeddings_from(answer, asked, stamp)),
        )

    return _vectors("api/embed", OLLAMA, question, exchange)


def model_in(body: Json) -> str:
    """The model that a body asks for.

    Raises:
        Rejected: it names none.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name.strip():
        raise Rejected("model is missing: name an alias, such as main; GET /v1/models lists them")
    if len(name) > NAME_CHARS:
        raise Rejected(f"model is longer than {NAME_CHARS} characters: GET /v1/models lists names")
    return name


def _asked(
    door: str,
    client: ClientDialect,
    question: Question,
    exchange: Exchanging,
    *,
    streams: bool = False,
) -> Ask:
    """A question in a client's dialect; ``streams``: unless its body says otherwise."""
    body, name = question.body, model_in(question.body)
    stream = body.get("stream", streams)
    if stream is None:
        stream = streams
    if not isinstance(stream, bool):
        raise Rejected("stream must be true or false")

    def fail(status: int, words: str) -> bytes:
        return client.encoder(body, Stamp("broken", 0, name)).fail(status, words)

    key = None if stream or not _is_certain(body) else _cache_key(body)
    return Ask(door, name, stream, client.media_type, exchange, fail, key, body)


def _vectors(door: str, client: ClientDialect, question: Question, exchange: Exchanging) -> Ask:
    def fail(status: int, words: str) -> bytes:
        return b""  # vectors do not stream

    body, name = question.body, model_in(question.body)
    key = _cache_key(body)
    return Ask(door, name, False, SSE_MEDIA, exchange, fail, key, body, gives="vectors")


def _is_certain(body: Json) -> bool:
    """Whether the same question always has the same answer."""
    options = body.get("options")
    own = options.get("temperature") if isinstance(options, dict) else None
    return 0 in (body.get("temperature"), own)


def _cache_key(body: Json) -> bytes:
    asked = {key: value for key, value in body.items() if key not in _NOT_OF_THE_QUESTION}
    return dumped(asked, is_sorted=True)
