"""How each kind of provider is asked: in its own dialect, or through OpenAI's chat completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from lib.domain.llm.anthropic_provider import AnthropicProvider
from lib.domain.llm.anthropic_thoughts import without_foreign_thoughts
from lib.domain.llm.dialects import ClientDialect, Options, ProviderDialect, Stamp
from lib.domain.llm.exchange import Exchange, Question, Streaming, Whole
from lib.domain.llm.fim import GenerateProvider
from lib.domain.llm.ollama_provider import OllamaProvider
from lib.domain.llm.openai_provider import OpenAiProvider
from lib.domain.llm.raw import dumped, object_of, with_model, written
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.table import Candidate, Kind
from lib.domain.llm.usage import usage_from
from lib.domain.llm.wire import Json, LineReader, Reader, SseReader

Exchanging = Callable[[Kind, Candidate, Stamp], Exchange]
Native = Callable[[Candidate], Exchange]

OLLAMA_GENERATES = GenerateProvider()

_PROVIDERS: Mapping[Kind, ProviderDialect] = {
    "ollama": OllamaProvider(),
    "openai": OpenAiProvider("openai"),
    "openrouter": OpenAiProvider("openrouter"),
    "groq": OpenAiProvider("groq"),
    "anthropic": AnthropicProvider(),
}
_CHAT_PATHS: Mapping[Kind, str] = {"ollama": "/api/chat", "anthropic": "/v1/messages"}
_SAMPLING = frozenset(("temperature", "top_p", "top_k"))
_PASSED_ON = ("anthropic-version", "anthropic-beta")


def through_chat(
    client: ClientDialect,
    question: Question,
    chat_from: Callable[[Json], Json],
    native: Mapping[str, Native] | None = None,
) -> Exchanging:
    """A question that any provider with a chat can be asked.

    Where a provider speaks the client's own dialect, it judges the question itself: it takes more
    than can be translated.

    Raises:
        Rejected: it is wrong, in a dialect that no provider has for its own.
    """
    is_native = native or {}
    read = cache(lambda: chat_from(question.body))
    if not is_native:
        read()

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind in is_native:
            return is_native[kind](candidate)
        provider = _PROVIDERS[kind]
        sent = provider.request_from(read() | {"model": candidate.model}, candidate.options)
        path = _CHAT_PATHS.get(kind, "/chat/completions")
        return translated(path, sent, provider, client, question, stamp, kind)

    return exchange


def translated(
    path: str,
    sent: Json,
    provider: ProviderDialect,
    client: ClientDialect,
    question: Question,
    stamp: Stamp,
    kind: Kind = "ollama",
) -> Exchange:
    """A provider's request, whose answers are told in the client's dialect."""

    def whole(raw: bytes) -> Whole:
        answer = provider.chat_from(object_of(raw), stamp)
        told = client.answer_from(answer, question.body, stamp)
        return Whole(written(told), usage_from(answer.get("usage")))

    def streaming() -> Streaming:
        encoder = client.encoder(question.body, stamp)
        return Streaming(_reader(kind), provider.decoder(stamp), encoder)

    return Exchange(path, dumped(sent), whole, streaming)


def _native(
    kind: Kind, path: str, payload: bytes, candidate: Candidate, headers: dict[str, str]
) -> Exchange:
    """A question in the provider's own dialect: the answer goes back as it comes."""
    provider = _PROVIDERS[kind] if path != "/api/generate" else OLLAMA_GENERATES
    stamp = Stamp("native", 0, candidate.model)

    def whole(raw: bytes) -> Whole:
        return Whole(raw, usage_from(provider.chat_from(object_of(raw), stamp).get("usage")))

    def streaming() -> Streaming:
        return Streaming(_reader(kind), provider.decoder(stamp), None)

    return Exchange(path, payload, whole, streaming, headers)


def to_anthropic(path: str, question: Question, candidate: Candidate) -> Exchange:
    """A client's body as it came, with the model's name of Anthropic."""
    query = f"?{question.query}" if question.query else ""
    clean = without_foreign_thoughts(question.body)
    if not candidate.temperature and clean.keys() & _SAMPLING:
        clean = {key: value for key, value in clean.items() if key not in _SAMPLING}
    if clean is question.body:
        payload = with_model(question.raw, question.body, candidate.model)
    else:
        payload = dumped(clean | {"model": candidate.model})
    headers = {name: question.headers[name] for name in _PASSED_ON if name in question.headers}
    return _native("anthropic", path + query, payload, candidate, headers)


def to_ollama(path: str, question: Question) -> Native:
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
    for name in ("num_ctx", *(() if options.temperature else _SAMPLING)):
        own.pop(name, None)
    if options.num_ctx is not None:
        own["num_ctx"] = options.num_ctx
    if own or given is not None:
        changes["options"] = own
    if options.keep_alive is not None:
        changes["keep_alive"] = options.keep_alive
    if options.think is not None and body.get("think") is None:
        changes["think"] = options.think
    return changes


def embedding(path: str, body: Json, told: Callable[[Json], Json]) -> Exchange:
    """A question for vectors; ``told`` makes the client's answer of the provider's."""

    def whole(raw: bytes) -> Whole:
        answer = object_of(raw)
        found = told(answer)
        # Of the provider's answer: Ollama's older door has no place for what was used.
        used = answer.get("usage") or found.get("usage") or _counts(answer)
        return Whole(written(found), usage_from(used))

    def streaming() -> Streaming:
        raise NotForThisModel("vectors do not stream")

    return Exchange(path, dumped(body), whole, streaming)


def _counts(answer: Json) -> Json:
    return {"prompt_tokens": answer.get("prompt_eval_count")}


def _reader(kind: Kind) -> Reader:
    return LineReader() if kind == "ollama" else SseReader()
