"""Anthropic's Messages API over real HTTP.

Source: platform.claude.com/docs/en/api/messages, /messages-streaming and /errors, facts of
2026-11-22; what a blocked caller gets from anthropics/claude-code#1613, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.anthropic_rules import (
    blocks_of,
    check_messages,
    signature_of,
    tool_answer_in,
)
from deployments.sandbox.model_door import is_wrong, key_in
from deployments.sandbox.model_reading import (
    check,
    count_in,
    last_text,
    object_in,
    objects_in,
    pictures_in,
    tools_in,
)
from deployments.sandbox.model_stream import SSE, Reply, document, event
from deployments.sandbox.model_talk import Asked, Json, Said, chars_in, cut, tokens_of
from deployments.sandbox.model_vendor import Call, Vendor
from deployments.sandbox.refusals import Refused

VERSIONS = ("2023-06-01", "2026-10-21")
# What is said of a model besides its id: name, birthday, end.
MODELS: dict[str, tuple[str, str, str | None]] = {
    "claude-opus-4-8": ("Claude Opus 4.8", "2026-06-09", None),
    "claude-sonnet-4-6": ("Claude Sonnet 4.6", "2026-02-17", None),
    "claude-opus-4-7": ("Claude Opus 4.7", "2026-04-14", None),
    "claude-opus-4-6": ("Claude Opus 4.6", "2026-02-04", None),
    "claude-haiku-4-5-20251001": ("Claude Haiku 4.5", "2025-10-15", None),
    "claude-sonnet-4-5-20250929": ("Claude Sonnet 4.5", "2025-09-29", "2026-11-30"),
}
ALIASES = {
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Anthropic(Vendor):
    """The vendor, mounted at ``/anthropic``; a model that was retired is one that it has not."""

    broken: ClassVar = event(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error"
    )
    garbage: ClassVar = b"event: content_block_delta\ndata: {it is no JSON\n\n"

    def routes(self) -> list[Route]:
        """Messages, their count, and the models."""
        return [
            self.asks("/v1/messages", self._message),
            self.shows("/v1/messages/count_tokens", self._count, "POST"),
            self.shows("/v1/models", _models),
            self.shows("/v1/models/{model_id}", self._model),
        ]

    def check_caller(self, request: Request) -> None:
        """A key, of either header, and a version that is known."""
        if not (key := key_in(request, "x-api-key")):
            raise Refused(401, "x-api-key header is required")
        if is_wrong(key):
            raise Refused(401, "invalid x-api-key")
        version = request.headers.get("anthropic-version")
        check(version is not None, "anthropic-version: header is required")
        check(version in VERSIONS, f'anthropic-version: "{version}" is not a valid version')

    def headers(self) -> dict[str, str]:
        """The request's id."""
        return {"request-id": f"req_sandbox_{self.counts['requests']}"}

    def error_body(self, refused: Refused) -> Json:
        """The type says what the status says."""
        kind = _TYPES.get(refused.status, "api_error")
        error = {"type": kind, "message": refused.message}
        return {"type": "error", "error": error, "request_id": self.headers()["request-id"]}

    def blocked(self) -> Response:
        """An error of another shape: it comes from before the API."""
        error = {"type": "forbidden", "message": "Request not allowed"}
        return JSONResponse({"error": error}, status_code=403)

    def no_model(self, model: str) -> Refused:
        """A model that is unknown or retired."""
        return Refused(404, f"model: {model}")

    def no_path(self, request: Request) -> Refused:
        """A wrong address."""
        return Refused(404, "Not Found")

    def _message(self, call: Call) -> Reply:
        check_messages(call.body)
        model = self._known(call.model)
        asked = _asked_in(call.body)
        said = call.said(asked)
        message: Json = {
            "id": f"msg_sandbox_{call.number}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": list(_blocks(said, call.number)),
            "stop_reason": _stop_of(said),
            "stop_sequence": None,
            "usage": _usage(asked, "cache_control" in str(call.body)),
        }
        if call.body.get("stream"):
            return Reply(list(_events(message, said)), SSE, True)
        message["usage"]["output_tokens"] = said.tokens
        return document(message)

    def _count(self, call: Call) -> Reply:
        check_messages(call.body, is_counted=True)
        self._known(call.model)
        return document({"input_tokens": _asked_in(call.body).prompt_tokens})

    def _model(self, call: Call) -> Reply:
        return document(_listed(self._known(call.path["model_id"])))

    def _known(self, model: str) -> str:
        name = ALIASES.get(model, model)
        if name not in MODELS:
            raise self.no_model(model)
        return name


def _asked_in(body: Json) -> Asked:
    messages = objects_in(body, "messages")
    choice = object_in(body, "tool_choice")
    form = object_in(object_in(body, "output_config"), "format")
    kind = choice.get("type", "auto")
    check(kind in ("auto", "any", "none", "tool"), f"tool_choice: unexpected type {kind!r}")
    read = [body.get(name) for name in ("system", "messages", "tools")]
    return Asked(
        text=last_text(messages),
        images=sum(pictures_in(blocks_of(message)) for message in messages),
        tool_answer=tool_answer_in(messages),
        tools=tools_in(body, lambda tool: (tool.get("name"), tool.get("input_schema"))),
        choice=str(choice.get("name")) if kind == "tool" else kind,
        is_parallel=choice.get("disable_parallel_tool_use") is not True,
        schema=object_in(form, "schema") if form else None,
        thinks=object_in(body, "thinking").get("type", "disabled") != "disabled",
        max_tokens=count_in(body, "max_tokens"),
        prompt_tokens=tokens_of(chars_in(read)),
    )


def _blocks(said: Said, number: int) -> Iterator[Json]:
    if said.thoughts:
        signed = {"thinking": said.thought, "signature": signature_of(said.thought)}
        yield {"type": "thinking"} | signed
    if said.pieces:
        yield {"type": "text", "text": said.text}
    for index, use in enumerate(said.uses):
        called = {"id": f"toolu_{number}_{index}", "name": use.name, "input": use.arguments}
        yield {"type": "tool_use"} | called


def _stop_of(said: Said) -> str:
    if said.is_cut_short:
        return "max_tokens"
    return "tool_use" if said.uses else "end_turn"


def _usage(asked: Asked, is_cached: bool) -> Json:
    """Before the answer; half of a prompt with marks for the cache comes out of it."""
    cached = asked.prompt_tokens // 2 if is_cached else 0
    return {
        "input_tokens": asked.prompt_tokens - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": 1,
    }


def _events(message: Json, said: Said) -> Iterator[bytes]:
    def named(kind: str, **fields: Any) -> bytes:
        return event({"type": kind} | fields, kind)

    yield named("message_start", message=message | {"content": [], "stop_reason": None})
    for index, block in enumerate(message["content"]):
        yield named("content_block_start", index=index, content_block=_empty(block))
        if index == 0:
            yield named("ping")
        for delta in _deltas(block, said):
            yield named("content_block_delta", index=index, delta=delta)
        yield named("content_block_stop", index=index)
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield named("message_delta", delta=stop, usage={"output_tokens": said.tokens})
    yield named("message_stop")


def _empty(block: Json) -> Json:
    kind = block["type"]
    if kind == "tool_use":
        return block | {"input": {}}
    return {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})


def _deltas(block: Json, said: Said) -> Iterator[Json]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in said.pieces)
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in said.thoughts)
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        use = said.uses[int(block["id"].rpartition("_")[2])]
        for piece in ("", *cut(use.written)):
            yield {"type": "input_json_delta", "partial_json": piece}


def _models(call: Call) -> Reply:
    names = list(MODELS)
    ends = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
    return document({"data": [_listed(name) for name in names]} | ends)


def _listed(name: str) -> Json:
    title, created, ends = MODELS[name]
    return {
        "type": "model",
        "id": name,
        "display_name": title,
        "created_at": f"{created}T00:00:00Z",
        "lifecycle": "deprecated" if ends else "active",
        "retires_at": f"{ends}T00:00:00Z" if ends else None,
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }
