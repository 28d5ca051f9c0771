"""Groq over real HTTP: OpenAI's chat, Whisper, and a 400 for whatever it does not know.

Source: facts of 2026-11-22; strictness from janhq/jan#8136 and vercel/ai#8057, the page for a
caller who is blocked from cloudflare/cloudflared#1344, read 2026-11-25.
"""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox import groq_speech
from deployments.sandbox.model_chat import (
    asked_in,
    deltas_of,
    envelope,
    finish_of,
    message_of,
    usage_of,
)
from deployments.sandbox.model_door import is_wrong, key_in
from deployments.sandbox.model_reading import check, object_in, objects_in
from deployments.sandbox.model_stream import SSE, Reply, document, event
from deployments.sandbox.model_talk import Json, Said, cut
from deployments.sandbox.model_vendor import Call, Vendor
from deployments.sandbox.refusals import Refused

# Who made it, the context, the longest answer.
MODELS: dict[str, tuple[str, int, int]] = {
    "llama-3.3-70b-versatile": ("Meta", 131_072, 32_768),
    "llama-3.1-8b-instant": ("Meta", 131_072, 131_072),
    "openai/gpt-oss-120b": ("OpenAI", 131_072, 65_536),
    "openai/gpt-oss-20b": ("OpenAI", 131_072, 65_536),
    "qwen/qwen3-32b": ("Alibaba Cloud", 131_072, 40_960),
}
_FIELDS = (
    "messages model citation_options compound_custom disable_tool_validation documents "
    "exclude_domains frequency_penalty function_call functions include_domains include_reasoning "
    "max_completion_tokens max_tokens metadata n parallel_tool_calls presence_penalty "
    "reasoning_effort reasoning_format response_format search_settings seed service_tier stop "
    "store stream stream_options temperature tool_choice tools top_p user"
)
_MESSAGE_FIELDS = {"role", "content", "tool_calls", "tool_call_id", "function_call", "reasoning"}
_LIMITS = {
    "x-ratelimit-limit-requests": "14400",
    "x-ratelimit-limit-tokens": "6000",
    "x-ratelimit-remaining-requests": "14399",
    "x-ratelimit-remaining-tokens": "5900",
    "x-ratelimit-reset-requests": "6s",
    "x-ratelimit-reset-tokens": "1s",
}
_BLOCKED = (
    "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>"
    "<h1>Sorry, you have been blocked</h1><h2>You are unable to access groq.com</h2></body></html>"
)


class Groq(Vendor):
    """The vendor, mounted at ``/groq``."""

    broken: ClassVar = event(
        {"error": {"message": "Internal Server Error", "type": "internal_server_error"}}, "error"
    )

    def __init__(self) -> None:
        super().__init__()
        self.hearing = groq_speech.Hearing()

    def routes(self) -> list[Route]:
        """Chat and Whisper: there are no embeddings and no completions of the old kind."""
        return [
            self.shows("/openai/v1/models", _models),
            self.asks("/openai/v1/chat/completions", self._completion),
            self.hears("/openai/v1/audio/transcriptions", self._transcription),
        ]

    def control(self) -> list[Route]:
        """As of every vendor, and what is heard."""

        async def hear(request: Request) -> Response:
            try:
                self.hearing = groq_speech.hearing_from(await request.body())
            except ValueError as error:
                return JSONResponse({"error": str(error)}, status_code=422)
            return JSONResponse(self.hearing.model_dump())

        return [*super().control(), Route("/speech", hear, methods=["POST"])]

    def reset(self) -> None:
        """Also what is heard."""
        super().reset()
        self.hearing = groq_speech.Hearing()

    def check_caller(self, request: Request) -> None:
        """Everything needs a key."""
        if not (key := key_in(request)) or is_wrong(key):
            raise Refused(401, "Invalid API Key", "invalid_api_key")

    def headers(self) -> dict[str, str]:
        """What is left of the limits."""
        return _LIMITS

    def error_body(self, refused: Refused) -> Json:
        """A limit has a type and a code of its own."""
        if refused.status == 429:
            kind, code = "tokens", "rate_limit_exceeded"
        else:
            kind = "invalid_request_error" if refused.status < 429 else "internal_server_error"
            code = refused.code
        error = {"message": refused.message, "type": kind}
        return {"error": error | ({"code": code} if code else {})}

    def blocked(self) -> Response:
        """The page of the guard before the API."""
        return Response(_BLOCKED, 403, media_type="text/html")

    def no_model(self, model: str) -> Refused:
        """A name that nobody knows."""
        words = f"The model `{model}` does not exist or you do not have access to it."
        return Refused(404, words, "model_not_found")

    def no_path(self, request: Request) -> Refused:
        """A wrong address."""
        asked = f"{request.method} {request.url.path.removeprefix('/groq')}"
        return Refused(404, f"Unknown request URL: {asked}.", "unknown_url")

    def _transcription(self, call: Call) -> Reply:
        check(call.model, "model is required")
        if call.model not in groq_speech.MODELS:
            raise self.no_model(call.model)
        return self.hearing.answer(call.body, call.number, is_empty=call.spoiled_by == "empty")

    def _completion(self, call: Call) -> Reply:
        _check(call.body)
        can_talk = call.model not in groq_speech.MODELS
        check(can_talk, f"The model `{call.model}` does not support chat completions")
        if call.model not in MODELS:
            raise self.no_model(call.model)
        said = call.said(asked_in(call.body, _thinks(call.body)))
        form = call.body.get("reasoning_format") or _usual_form(call.body)
        said = _formed(said, str(form))
        if call.body.get("stream"):
            return Reply(_chunks(said, call), SSE, True)
        choice = {"index": 0, "logprobs": None, "finish_reason": finish_of(said)}
        choices = [] if said.is_nothing else [choice | {"message": message_of(said, call.number)}]
        around = envelope("chat.completion", "chatcmpl", call.number, call.model)
        more = {"usage": _usage(said), "x_groq": {"id": f"req_{call.number}"}}
        return document(around | {"choices": choices, "system_fingerprint": "fp_0"} | more)


def _chunks(said: Said, call: Call) -> list[bytes]:
    around = envelope("chat.completion.chunk", "chatcmpl", call.number, call.model)
    known = {"id": f"req_{call.number}"}

    def chunk(delta: Json, reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return around | {"choices": [choice]}

    if said.is_nothing:
        return [event(around | {"choices": []}), event("[DONE]")]
    first, *more = deltas_of(said, call.number)
    last = chunk({}, finish_of(said)) | {"x_groq": known | {"usage": _usage(said)}}
    told = [chunk(first) | {"x_groq": known}, *map(chunk, more), last]
    if object_in(call.body, "stream_options").get("include_usage"):
        told.append(around | {"choices": [], "usage": _usage(said)})
    return [*map(event, told), event("[DONE]")]


def _check(body: Json) -> None:
    for name in body:
        check(name in _FIELDS.split(), f"property '{name}' is unsupported")
    check(body.get("n") in (None, 1), "'n' : number must be at most 1")
    for number, message in enumerate(objects_in(body, "messages", least=1)):
        where, role = f"'messages.{number}'", message.get("role")
        for name in message.keys() - _MESSAGE_FIELDS:
            wrong = f"({where} : property '{name}' is unsupported)"
            check(False, f"{where} : for 'role:{role}' the following must be satisfied[{wrong}]")
        check(
            not message.get("reasoning") or _can_think(str(body.get("model"))),
            f"messages[{number}].reasoning: reasoning is not supported with this model",
        )


def _can_think(model: str) -> bool:
    return any(word in model for word in ("gpt-oss", "qwen3", "r1"))


def _thinks(body: Json) -> bool:
    if body.get("reasoning_effort") == "none" or body.get("include_reasoning") is False:
        return False
    asked = any(body.get(name) for name in ("reasoning_effort", "reasoning_format"))
    return _can_think(str(body["model"])) or asked or body.get("include_reasoning") is True


def _usual_form(body: Json) -> str:
    """Thoughts stand in the text of qwen3, unless that would spoil tools or JSON."""
    is_plain = not body.get("tools") and not body.get("response_format")
    return "raw" if is_plain and "qwen3" in str(body["model"]) else "parsed"


def _formed(said: Said, form: str) -> Said:
    if form == "parsed" or not said.thoughts:
        return said
    opening = cut(f"<think>\n{said.thought}\n</think>\n\n") if form == "raw" else ()
    kept = Said((), (*opening, *said.pieces), said.uses, said.is_cut_short, said.prompt_tokens)
    return kept


def _usage(said: Said) -> Json:
    times = {"queue_time": 0.01, "prompt_time": 0.01, "completion_time": 0.1, "total_time": 0.11}
    return usage_of(said) | times


def _models(call: Call) -> Reply:
    heard = dict.fromkeys(groq_speech.MODELS, ("OpenAI", 448, 448))
    data = [
        {
            "id": name,
            "object": "model",
            "created": 1_733_447_754,
            "owned_by": owner,
            "active": True,
            "context_window": context,
            "max_completion_tokens": longest,
        }
        for name, (owner, context, longest) in (MODELS | heard).items()
    ]
    return document({"object": "list", "data": data})
