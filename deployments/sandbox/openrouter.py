"""OpenRouter over real HTTP: many models behind one key, errors with status 200, prices.

Source: facts of 2026-11-22; "not available in your region" from standardagents/dmux#43, the last
chunks of a stream from speakeasy-api/gram#921, both read 2026-11-25.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox import model_vectors
from deployments.sandbox.model_chat import (
    asked_in,
    deltas_of,
    envelope,
    finish_of,
    message_of,
    usage_of,
)
from deployments.sandbox.model_door import is_wrong, key_in
from deployments.sandbox.model_reading import check, object_in
from deployments.sandbox.model_stream import SSE, Reply, document, event
from deployments.sandbox.model_talk import Json, Said, tokens_of
from deployments.sandbox.model_vendor import KINDS, Call, Vendor
from deployments.sandbox.refusals import Refused

PROCESSING = b": OPENROUTER PROCESSING\n\n"
# Dollars a token of the prompt and of the answer, and the context.
MODELS: dict[str, tuple[str, str, int]] = {
    "deepseek/deepseek-r1-0528": ("0.0000005", "0.00000215", 163_840),
    "deepseek/deepseek-v3.2": ("0.00000026", "0.00000038", 163_840),
    "deepseek/deepseek-v4-flash": ("0.0000001", "0.0000004", 1_048_576),
    "qwen/qwen3-30b-a3b": ("0.00000006", "0.00000022", 40_960),
    "qwen/qwen3-coder": ("0.00000022", "0.00000095", 262_144),
    "meta-llama/llama-3.1-8b-instruct": ("0.00000002", "0.00000003", 131_072),
    "anthropic/claude-sonnet-4.5": ("0.000003", "0.000015", 1_000_000),
}
VECTORS = "qwen/qwen3-embedding-8b"
GONE = "tngtech/deepseek-r1t2-chimera"
PROVIDER = "DeepInfra"


class OpenRouter(Vendor):
    """The vendor; ``/v1`` of its API is mounted at ``/openrouter/api``."""

    kinds: ClassVar = KINDS | {"error_in_200": ()}
    broken: ClassVar = event(
        {
            "id": "gen-sandbox-0",
            "object": "chat.completion.chunk",
            "provider": PROVIDER,
            "error": {"code": 502, "message": "Provider returned error"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
    )

    def routes(self) -> list[Route]:
        """The models are shown to everybody."""
        return [
            self.shows("/api/v1/models", _models),
            self.asks("/api/v1/chat/completions", _completion),
            self.asks("/api/v1/embeddings", _embeddings),
        ]

    def check_caller(self, request: Request) -> None:
        """The list of models needs no key."""
        key = key_in(request)
        if request.method == "POST" and not key:
            raise Refused(401, "No auth credentials found")
        if is_wrong(key):
            raise Refused(401, "User not found.")

    def error_body(self, refused: Refused) -> Json:
        """The code is the status."""
        return {"error": {"message": refused.message, "code": refused.status}}

    def no_model(self, model: str) -> Refused:
        """A model without anybody who runs it."""
        return Refused(404, f"No endpoints found for {model}.")

    def no_path(self, request: Request) -> Refused:
        """A wrong address."""
        return Refused(404, "Not Found")

    def broken_whole(self) -> Response:
        """An error with status 200."""
        error = {"code": 502, "message": "Provider returned error", "metadata": {}}
        return JSONResponse({"error": error, "user_id": "user_sandbox"})


def _completion(call: Call) -> Reply:
    model = _model_of(call)
    said = call.said(asked_in(call.body, _thinks(call.body, model)))
    around = {"provider": PROVIDER}
    headers = {"x-generation-id": f"gen-sandbox-{call.number}"}
    if call.body.get("stream"):
        around |= envelope("chat.completion.chunk", "gen", call.number, model)
        return Reply(_chunks(said, around, call.number), SSE, True, headers)
    around |= envelope("chat.completion", "gen", call.number, model)
    choice = _choice(finish_of(said)) | {"message": _detailed(message_of(said, call.number))}
    choices = [] if said.is_nothing else [choice]
    answer = document(around | {"choices": choices, "usage": _usage(said, model)})
    answer.headers.update(headers)
    return answer


def _chunks(said: Said, around: Json, number: int) -> list[bytes]:
    def chunk(delta: Json, reason: str | None = None, **more: Any) -> bytes:
        choice = _choice(reason) | {"delta": {"role": "assistant", "content": ""} | delta}
        return event(around | {"choices": [choice]} | more)

    # The last chunk has a choice too, and its finish_reason is null again.
    end = [chunk({}, usage=_usage(said, around["model"])), event("[DONE]")]
    if said.is_nothing:
        return [PROCESSING, event(around | {"choices": []}), event("[DONE]")]
    told = [chunk(_detailed(delta)) for delta in deltas_of(said, number)]
    return [
        PROCESSING,
        PROCESSING,
        told[0],
        PROCESSING,
        *told[1:],
        chunk({}, finish_of(said)),
        *end,
    ]


def _choice(reason: str | None) -> Json:
    return {"index": 0, "finish_reason": reason, "native_finish_reason": reason, "logprobs": None}


def _detailed(message: Json) -> Json:
    """With the thoughts in the form that is to be sent back, too."""
    if "reasoning" not in message:
        return message
    detail = {"type": "reasoning.text", "text": message["reasoning"]}
    return message | {"reasoning_details": [detail | {"format": "unknown", "index": 0}]}


def _usage(said: Said, model: str) -> Json:
    prompt, completion, _ = MODELS[model]
    cost = float(prompt) * said.prompt_tokens + float(completion) * said.tokens
    return usage_of(said) | {"cost": round(cost, 10), "is_byok": False}


def _thinks(body: Json, model: str) -> bool:
    asked = object_in(body, "reasoning")
    if asked.get("exclude") or asked.get("enabled") is False or asked.get("effort") == "none":
        return False
    effort = body.get("reasoning_effort")
    return "r1" in model or bool(asked or body.get("include_reasoning") or (effort not in _NONE))


_NONE = (None, "none")


def _model_of(call: Call, known: Any = MODELS) -> str:
    """The first of the model and its substitutes that there is."""
    check(call.model, "No models provided")
    others = call.body.get("models")
    for name in (call.model, *(others if isinstance(others, list) else ())):
        if isinstance(name, str) and name in known:
            return name
    if call.model.removesuffix(":free") == GONE:
        raise Refused(404, f"No endpoints found for {call.model}.")
    raise Refused(400, f"{call.model} is not a valid model ID")


def _models(call: Call) -> Reply:
    return document({"data": [_listed(name, *facts) for name, facts in MODELS.items()]})


def _listed(name: str, prompt: str, completion: str, context: int) -> Json:
    return {
        "id": name,
        "canonical_slug": name,
        "name": name.rpartition("/")[2],
        "created": 1_748_455_170,
        "context_length": context,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": prompt, "completion": completion, "request": "0", "image": "0"},
        "top_provider": {"context_length": context, "max_completion_tokens": None},
        "supported_parameters": ["max_tokens", "reasoning", "response_format", "tools"],
    }


def _embeddings(call: Call) -> Reply:
    model = _model_of(call, (VECTORS,))
    texts, size = model_vectors.inputs_in(call.body)
    vectors = [model_vectors.vector_of(text, size) for text in texts]
    is_packed = call.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(v) if is_packed else list(v)}
        for index, v in enumerate(vectors)
    ]
    tokens = tokens_of(sum(map(len, texts)))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "cost": 0.0}
    data = [] if call.spoiled_by == "empty" else data
    return document({"object": "list", "data": data, "model": model, "usage": usage})


def _packed(vector: Any) -> str:
    return base64.b64encode(vector.tobytes()).decode()
