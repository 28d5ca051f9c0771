"""What a client asks at each door, and how each kind of provider is asked the same.

Where a client and a provider speak one dialect, the client's own body goes on, and the answer's
bytes come back as they are. Else the question goes through OpenAI's chat completion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from lib.domain.llm.anthropic_client import AnthropicClient
from lib.domain.llm.anthropic_provider import AnthropicProvider
from lib.domain.llm.completions_client import CompletionsClient
from lib.domain.llm.dialects import ClientDialect, ProviderDialect, Stamp
from lib.domain.llm.exchange import Ask, Exchange, Question, Streaming, Whole
from lib.domain.llm.ollama_client import OllamaChatClient, OllamaGenerateClient
from lib.domain.llm.ollama_provider import OllamaProvider
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.openai_provider import OpenAiProvider
from lib.domain.llm.raw import with_model
from lib.domain.llm.responses_client import ResponsesClient, is_responses_shaped
from lib.domain.llm.table import Candidate, Kind
from lib.domain.llm.usage import usage_from
from lib.domain.llm.wire import Json

OPENAI = OpenAiClient()
ANTHROPIC = AnthropicClient()
OLLAMA = OllamaChatClient()
_RESPONSES = ResponsesClient()
_COMPLETIONS = CompletionsClient()
_GENERATE = OllamaGenerateClient()

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

Exchanging = Callable[[Kind, Candidate, Stamp], Exchange]


def chat(question: Question) -> Ask:
    """``/v1/chat/completions``; a Responses body is answered as a chat, as Cursor wants it."""
    if is_responses_shaped(question.body):
        return _through_chat("chat", OPENAI, question, _RESPONSES.chat_from(question.body))
    return _through_chat("chat", OPENAI, question, OPENAI.chat_from(question.body))


def responses(question: Question) -> Ask:
    """``/v1/responses``."""
    return _through_chat("responses", _RESPONSES, question, _RESPONSES.chat_from(question.body))


def messages(question: Question) -> Ask:
    """``/v1/messages``: byte for byte to Anthropic, translated to the others."""
    chat_asked = ANTHROPIC.chat_from(question.body)

    def native(candidate: Candidate) -> Exchange:
        query = f"?{question.query}" if question.query else ""
        payload = with_model(question.raw, question.body, candidate.model)
        headers = {name: question.headers[name] for name in _PASSED_ON if name in question.headers}
        return _native("anthropic", f"/v1/messages{query}", payload, candidate, headers)

    return _through_chat("messages", ANTHROPIC, question, chat_asked, {"anthropic": native})


def ollama_chat(question: Question) -> Ask:
    """Ollama's ``/api/chat``."""
    native = {"ollama": _ollama_native("/api/chat", question)}
    return _through_chat("api/chat", OLLAMA, question, OLLAMA.chat_from(question.body), native)


def ollama_generate(question: Question) -> Ask:
    """Ollama's ``/api/generate``; a raw or suffixed prompt has no other provider."""
    native = {"ollama": _ollama_native("/api/generate", question)}
    chat_asked = _GENERATE.chat_from(question.body)
    return _through_chat("api/generate", _GENERATE, question, chat_asked, native)


def _through_chat(
    door: str,
    client: ClientDialect,
    question: Question,
    asked: Json,
    native: Mapping[str, Callable[[Candidate], Exchange]] | None = None,
) -> Ask:
    """A question that any provider with a chat can be asked."""

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if native and kind in native:
            return native[kind](candidate)
        provider = _PROVIDERS[kind]
        sent = provider.request_from(asked | {"model": candidate.model}, candidate.options)

        def whole(raw: bytes) -> Whole:
            answer = provider.chat_from(_object(raw), stamp)
            told = client.answer_from(answer, question.body, stamp)
            return Whole(orjson.dumps(told), usage_from(answer.get("usage")))

        return Exchange(
            _CHAT_PATHS.get(kind, "/chat/completions"),
            orjson.dumps(sent),
            whole,
            lambda: Streaming(
                _reader(kind), provider.decoder(stamp), client.encoder(question.body, stamp)
            ),
        )

    fresh = Stamp("error", 0, asked["model"])
    return Ask(
        door,
        asked["model"],
        bool(asked.get("stream")),
        client.media_type,
        exchange,
        lambda status, words: client.encoder(question.body, fresh).fail(status, words),
        _cache_key(asked),
        question.body,
    )


def _native(
    kind: Kind, path: str, payload: bytes, candidate: Candidate, headers: dict[str, str]
) -> Exchange:
    """A question in the provider's own dialect: the answer goes back as it comes."""
    provider = _PROVIDERS[kind]
    stamp = Stamp("native", 0, candidate.model)

    def whole(raw: bytes) -> Whole:
        return Whole(raw, usage_from(provider.chat_from(_object(raw), stamp).get("usage")))

    return Exchange(
        path,
        payload,
        whole,
        lambda: Streaming(_reader(kind), provider.decoder(stamp), None),
        headers,
    )


def _ollama_native(path: str, question: Question) -> Callable[[Candidate], Exchange]:
    """Ollama's own dialect with the table's context: another one would load the model anew."""

    def native(candidate: Candidate) -> Exchange:
        options, given = candidate.options, question.body.get("options")
        asked = question.body | {"model": candidate.model}
        if options.num_ctx is not None:
            asked["options"] = (given if isinstance(given, dict) else {}) | {
                "num_ctx": options.num_ctx
            }
        if options.keep_alive is not None:
            asked["keep_alive"] = options.keep_alive
        return _native("ollama", path, orjson.dumps(asked), candidate, {})

    return native


def _reader(kind: Kind) -> Reader:
    return LineReader() if kind == "ollama" else SseReader()


def _object(raw: bytes) -> Json:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Unavailable("the provider's answer is no JSON") from exc
    if not isinstance(found, dict):
        raise Unavailable("the provider's answer is no JSON object")
    return found


def _cache_key(asked: Json) -> bytes | None:
    """The same for the same question; None when its answer may differ from time to time."""
    if asked.get("temperature") != 0 or asked.get("stream"):
        return None
    return _sorted({k: v for k, v in asked.items() if k not in _NOT_OF_THE_QUESTION})


def _sorted(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
