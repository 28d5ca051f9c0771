"""What a client asks at each door, and how each kind of provider is asked the same.

Where a client and a provider speak one dialect, the client's own body goes on, and the answer's
bytes come back as they are. Else the question goes through OpenAI's chat completion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lib.domain.llm import embeddings as vectors
from lib.domain.llm.anthropic_client import AnthropicClient
from lib.domain.llm.anthropic_provider import AnthropicProvider
from lib.domain.llm.anthropic_thoughts import without_foreign_thoughts
from lib.domain.llm.completions_client import CompletionsClient
from lib.domain.llm.dialects import ClientDialect, Options, ProviderDialect, Stamp
from lib.domain.llm.exchange import Ask, Exchange, Question, Streaming, Whole
from lib.domain.llm.fim import GenerateProvider
from lib.domain.llm.ollama_client import OllamaChatClient, OllamaGenerateClient
from lib.domain.llm.ollama_provider import OllamaProvider
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.openai_provider import OpenAiProvider
from lib.domain.llm.raw import dumped, object_of, with_model
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.responses_client import ResponsesClient, is_responses_shaped
from lib.domain.llm.table import Candidate, Kind
from lib.domain.llm.usage import usage_from
from lib.domain.llm.wire import SSE_MEDIA, Json, LineReader, Reader, SseReader
from lib.errors import Rejected

OPENAI = OpenAiClient()
ANTHROPIC = AnthropicClient()
OLLAMA = OllamaChatClient()
_RESPONSES = ResponsesClient()
_COMPLETIONS = CompletionsClient()
_GENERATE = OllamaGenerateClient()
_OLLAMA_GENERATES = GenerateProvider()

_PROVIDERS: Mapping[Kind, ProviderDialect] = {
    "ollama": OllamaProvider(),
    "openai": OpenAiProvider("openai"),
    "openrouter": OpenAiProvider("openrouter"),
    "groq": OpenAiProvider("groq"),
    "anthropic": AnthropicProvider(),
}
_CHAT_PATHS: Mapping[Kind, str] = {"ollama": "/api/chat", "anthropic": "/v1/messages"}
_NOT_OF_THE_QUESTION = ("model", "stream", "stream_options", "user", "metadata", "store")
_PASSED_ON = ("anthropic-version", "anthropic-beta")

Native = Callable[[Candidate], Exchange]


def chat(question: Question) -> Ask:
    """``/v1/chat/completions``; a Responses body is answered as a chat, as Cursor wants it."""
    reading = _RESPONSES if is_responses_shaped(question.body) else OPENAI
    return _asked("chat", OPENAI, question, _through_chat(OPENAI, question, reading.chat_from))


def responses(question: Question) -> Ask:
    """``/v1/responses``."""
    exchange = _through_chat(_RESPONSES, question, _RESPONSES.chat_from)
    return _asked("responses", _RESPONSES, question, exchange)


def completions(question: Question) -> Ask:
    """``/v1/completions``: Ollama completes the text itself, the others are asked in a chat."""
    model_in(question.body)

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind != "ollama":
            through = _through_chat(_COMPLETIONS, question, _COMPLETIONS.chat_from)
            return through(kind, candidate, stamp)
        body = question.body | {"model": candidate.model}
        sent = _OLLAMA_GENERATES.request_from(body, candidate.options)
        return _translated("/api/generate", sent, _OLLAMA_GENERATES, _COMPLETIONS, question, stamp)

    return _asked("completions", _COMPLETIONS, question, exchange)


def messages(question: Question) -> Ask:
    """``/v1/messages``: byte for byte to Anthropic, translated to the others."""

    def native(candidate: Candidate) -> Exchange:
        return _to_anthropic("/v1/messages", question, candidate)

    exchange = _through_chat(ANTHROPIC, question, ANTHROPIC.chat_from, {"anthropic": native})
    return _asked("messages", ANTHROPIC, question, exchange)


def tokens(question: Question) -> Ask:
    """``/v1/messages/count_tokens``: byte for byte to Anthropic; no other provider counts."""

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind != "anthropic":
            raise NotForThisModel("it counts no tokens")
        found = _to_anthropic("/v1/messages/count_tokens", question, candidate)
        return Exchange(
            found.path,
            found.payload,
            lambda raw: Whole(raw, usage_from(object_of(raw).get("usage"))),
            found.streaming,
            found.headers,
        )

    return _asked("count_tokens", ANTHROPIC, question, exchange)


def ollama_chat(question: Question) -> Ask:
    """Ollama's ``/api/chat``."""
    native = {"ollama": _to_ollama("/api/chat", question)}
    exchange = _through_chat(OLLAMA, question, OLLAMA.chat_from, native)
    return _asked("api/chat", OLLAMA, question, exchange, streams=True)


def ollama_generate(question: Question) -> Ask:
    """Ollama's ``/api/generate``; a raw or suffixed prompt has no other provider."""
    native = {"ollama": _to_ollama("/api/generate", question)}
    exchange = _through_chat(_GENERATE, question, _GENERATE.chat_from, native)
    return _asked("api/generate", _GENERATE, question, exchange, streams=True)


def embeddings(question: Question) -> Ask:
    """``/v1/embeddings``."""

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind in ("groq", "anthropic"):
            raise NotForThisModel("it gives no embeddings")
        body = question.body | {"model": candidate.model}
        if kind != "ollama":
            return _embedding("/embeddings", body, lambda answer: answer)
        return _embedding(
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
            return _embedding("/embeddings", asked, told)
        return _embedding(
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
    return name


Exchanging = Callable[[Kind, Candidate, Stamp], Exchange]


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
    return Ask(door, name, False, SSE_MEDIA, exchange, fail, _cache_key(body), body)


def _through_chat(
    client: ClientDialect,
    question: Question,
    chat_from: Callable[[Json], Json],
    native: Mapping[str, Native] | None = None,
) -> Exchanging:
    """A question that any provider with a chat can be asked.

    Raises:
        Rejected: it is wrong.
    """
    is_native = native or {}
    asked = chat_from(question.body)

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind in is_native:
            return is_native[kind](candidate)
        provider = _PROVIDERS[kind]
        sent = provider.request_from(asked | {"model": candidate.model}, candidate.options)
        path = _CHAT_PATHS.get(kind, "/chat/completions")
        return _translated(path, sent, provider, client, question, stamp, kind)

    return exchange


def _translated(
    path: str,
    sent: Json,
    provider: ProviderDialect,
    client: ClientDialect,
    question: Question,
    stamp: Stamp,
    kind: Kind = "ollama",
) -> Exchange:
    def whole(raw: bytes) -> Whole:
        answer = provider.chat_from(object_of(raw), stamp)
        told = client.answer_from(answer, question.body, stamp)
        return Whole(dumped(told), usage_from(answer.get("usage")))

    def streaming() -> Streaming:
        encoder = client.encoder(question.body, stamp)
        return Streaming(_reader(kind), provider.decoder(stamp), encoder)

    return Exchange(path, dumped(sent), whole, streaming)


def _native(
    kind: Kind, path: str, payload: bytes, candidate: Candidate, headers: dict[str, str]
) -> Exchange:
    """A question in the provider's own dialect: the answer goes back as it comes."""
    provider = _PROVIDERS[kind] if path != "/api/generate" else _OLLAMA_GENERATES
    stamp = Stamp("native", 0, candidate.model)

    def whole(raw: bytes) -> Whole:
        return Whole(raw, usage_from(provider.chat_from(object_of(raw), stamp).get("usage")))

    def streaming() -> Streaming:
        return Streaming(_reader(kind), provider.decoder(stamp), None)

    return Exchange(path, payload, whole, streaming, headers)


def _to_anthropic(path: str, question: Question, candidate: Candidate) -> Exchange:
    query = f"?{question.query}" if question.query else ""
    clean = without_foreign_thoughts(question.body)
    if clean is question.body:
        payload = with_model(question.raw, question.body, candidate.model)
    else:
        payload = dumped(clean | {"model": candidate.model})
    headers = {name: question.headers[name] for name in _PASSED_ON if name in question.headers}
    return _native("anthropic", path + query, payload, candidate, headers)


def _to_ollama(path: str, question: Question) -> Native:
    """Ollama's own dialect with the table's context: another one would load the model anew."""

    def native(candidate: Candidate) -> Exchange:
        asked = question.body | _of_ollama(candidate.options, question.body)
        payload = dumped(asked | {"model": candidate.model})
        return _native("ollama", path, payload, candidate, {})

    return native


def _of_ollama(options: Options, body: Json) -> Json:
    changes: Json = {}
    given = body.get("options")
    own = dict(given) if isinstance(given, dict) else {}
    own.pop("num_ctx", None)
    if options.num_ctx is not None:
        own["num_ctx"] = options.num_ctx
    if own or given is not None:
        changes["options"] = own
    if options.keep_alive is not None:
        changes["keep_alive"] = options.keep_alive
    if options.think is not None and body.get("think") is None:
        changes["think"] = options.think
    return changes


def _embedding(path: str, body: Json, told: Callable[[Json], Json]) -> Exchange:
    def whole(raw: bytes) -> Whole:
        answer = object_of(raw)
        found = told(answer)
        return Whole(dumped(found), usage_from(found.get("usage") or _counts(found)))

    def streaming() -> Streaming:
        raise NotForThisModel("vectors do not stream")

    return Exchange(path, dumped(body), whole, streaming)


def _counts(answer: Json) -> Json:
    return {"prompt_tokens": answer.get("prompt_eval_count")}


def _reader(kind: Kind) -> Reader:
    return LineReader() if kind == "ollama" else SseReader()


def _is_certain(body: Json) -> bool:
    """Whether the same question always has the same answer."""
    options = body.get("options")
    own = options.get("temperature") if isinstance(options, dict) else None
    return 0 in (body.get("temperature"), own)


def _cache_key(body: Json) -> bytes:
    asked = {key: value for key, value in body.items() if key not in _NOT_OF_THE_QUESTION}
    return dumped(asked, is_sorted=True)
