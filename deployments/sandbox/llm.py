"""An OpenAI-compatible model over real HTTP: chat completions with a JSON schema.

It needs no model: leads are read by ``llm_reading``, any other schema gets the least that fits.

Control, under ``/control/llm`` (JSON):

    POST …/failures  ``{"kind", "times", …}``, all but ``kind`` optional (see `Failure`). Kinds:
                     ``slow``           answers after ``delay_s``
                     ``status``         ``status``, with Retry-After if ``retry_after_s`` is given
                     ``nonsense``       the content is not JSON
                     ``wrong_shape``    the content is JSON of another shape
                     ``fenced``         the content is right, in a Markdown fence
                     ``truncated``      the content ends in the middle, finish_reason ``length``
                     ``error_in_200``   OpenRouter's error with status 200 and without choices
                     ``empty_choices``  no choices
                     ``html``           a proxy's page with status 200
                     ``cut``            the connection breaks in the answer
                     ``hang``           no answer comes
    GET  …/failures  what is on; DELETE ends it
    GET  …/state     counts and failures
    POST …/reset     as at the start
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router

from deployments.sandbox.failures import Failure, Failures, no_answer
from deployments.sandbox.llm_reading import customer_text, read_as
from deployments.sandbox.llm_schema import strict_fault
from deployments.sandbox.model_control import model_control

MODELS = ("sandbox", "sandbox-small")
KINDS: dict[str, tuple[str, ...]] = {
    "slow": ("delay_s",),
    "status": ("status", "retry_after_s"),
    **dict.fromkeys(("nonsense", "wrong_shape", "fenced", "truncated", "error_in_200"), ()),
    **dict.fromkeys(("empty_choices", "html", "cut", "hang"), ()),
}
_ERRORS = {401: "authentication_error", 402: "insufficient_credits", 403: "permission_error"}


@dataclass
class Model:
    """What the stand-in remembers: switched-on failures and counts."""

    failures: Failures = field(default_factory=lambda: Failures(KINDS))
    counts: Counter[str] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


def llm_app(model: Model) -> Router:
    """The API of one model, to be mounted at ``/llm``."""

    async def completions(request: Request) -> Response:
        model.counts["requests"] += 1
        if not _bearer(request):
            return _error(401, "Missing bearer authentication in header")
        body = await _body(request)
        if (fault := _fault(body)) is not None:
            return _error(400, fault)
        failure = model.failures.next_for()
        if failure is not None:
            model.counts[failure.kind] += 1
            if failure.kind == "slow":
                await asyncio.sleep(failure.delay_s)
            elif (spoiled := await _spoiled(request, failure)) is not None:
                return spoiled
        model.counts["answered"] += 1
        answer = _completion(body, next(model.numbers), failure.kind if failure else "")
        if body.get("stream"):
            return StreamingResponse(_events(answer), media_type="text/event-stream")
        return _json(answer)

    async def models(request: Request) -> Response:
        if not _bearer(request):
            return _error(401, "Missing bearer authentication in header")
        listed = [{"id": name, "object": "model", "owned_by": "sandbox"} for name in MODELS]
        return _json({"object": "list", "data": listed})

    return Router(
        routes=[
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", models),
        ]
    )


def llm_control(model: Model) -> list[Route]:
    """Routes to be mounted at ``/control/llm``; bodies and answers are JSON."""

    def state() -> dict[str, Any]:
        return {"counts": dict(model.counts), "failures": model.failures.listed()}

    def reset() -> None:
        model.failures.waiting.clear()
        model.counts.clear()

    return model_control(model.failures, reset, state=state)


@lru_cache(maxsize=64)
def _strict_fault(schema: bytes) -> str | None:
    return strict_fault(orjson.loads(schema))


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _json(body: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = orjson.dumps(body)
    return Response(content, status_code, headers=headers, media_type="application/json")


def _bearer(request: Request) -> bool:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(key.strip())


async def _body(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except ValueError:
        return None


def _fault(body: Any) -> str | None:
    """Why the request is refused; None for a good one."""
    if not isinstance(body, dict):
        return "We could not parse the JSON body of your request."
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "you must provide a model parameter"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "Invalid 'messages': empty array. Expected an array with minimum length 1."
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        asked = form.get("json_schema") or {}
        if not asked.get("name"):
            return "Missing required parameter: 'response_format.json_schema.name'."
        fault = _strict_fault(orjson.dumps(asked.get("schema"))) if asked.get("strict") else None
        if fault is not None:
            return f"Invalid schema for response_format '{asked['name']}': {fault}"
    return None


async def _spoiled(request: Request, failure: Failure) -> Response | None:
    """The answer of a failure; None when the completion itself is what is spoiled."""
    if failure.kind == "status":
        return _error(failure.status, "switched-on failure", failure.retry_after_s)
    if failure.kind == "error_in_200":
        error = {"code": 502, "message": "Provider returned error", "metadata": {}}
        return _json({"error": error, "user_id": "sandbox"})
    return await no_answer(failure, request)


def _completion(body: dict[str, Any], number: int, spoiled_by: str) -> dict[str, Any]:
    content = _content(body, spoiled_by)
    reason = "length" if spoiled_by == "truncated" else "stop"
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    prompt_tokens = sum(len(str(m.get("content") or "")) for m in body["messages"]) // 4
    answer_tokens = len(content) // 4
    return {
        "id": f"chatcmpl-sandbox-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [] if spoiled_by == "empty_choices" else [choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": prompt_tokens + answer_tokens,
        },
    }


def _content(body: dict[str, Any], spoiled_by: str) -> str:
    if spoiled_by == "nonsense":
        return "Конечно! Вот что я думаю об этом сообщении: {{"
    if spoiled_by == "wrong_shape":
        return '{"answer": ["yes"], "is_lead": "perhaps", "amount": {"value": "many"}}'
    form = body.get("response_format") or {}
    text = customer_text(body["messages"])
    if form.get("type") == "text" or not form:
        return f"Вы написали: {text[:200]}"
    written = _dumps(read_as((form.get("json_schema") or {}).get("schema"), text))
    if spoiled_by == "truncated":
        return written[: len(written) // 2]
    return f"```json\n{written}\n```" if spoiled_by == "fenced" else written


def _events(answer: dict[str, Any]) -> Iterator[str]:
    """The same answer as a stream of two pieces and an end."""
    base = {key: answer[key] for key in ("id", "created", "model")}
    base["object"] = "chat.completion.chunk"
    for choice in answer["choices"]:
        content = choice["message"]["content"]
        half = len(content) // 2
        for piece in (content[:half], content[half:]):
            delta = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            yield f"data: {_dumps(base | {'choices': [delta]})}\n\n"
        end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        yield f"data: {_dumps(base | {'choices': [end]})}\n\n"
    yield "data: [DONE]\n\n"


def _error(status: int, message: str, retry_after_s: int | None = None) -> Response:
    kind = _ERRORS.get(status, "invalid_request_error" if status < 429 else "server_error")
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    error = {"message": message, "type": kind, "param": None, "code": None}
    return _json({"error": error}, status_code=status, headers=headers)
