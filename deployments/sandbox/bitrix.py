"""A stand-in for a Bitrix24 portal: the vendor's REST over real HTTP, in memory.

Never kinder than the vendor: phones and origin ids may repeat, empty objects come as ``[]``,
the request limit answers 503, a wrong code is refused. `bitrix_app` goes under ``/bitrix``,
`bitrix_control` under ``/control/bitrix``:

    POST …/failures  one object or a list; ``{"kind", "times", "methods", …}``, all but ``kind``
                     optional (see `Failure`). Kinds:
                     ``lose_answer``  the next write is stored, its answer is lost (how: close, 504)
                     ``silent``       the next answer comes after ``seconds``
                     ``html_502``     the next request gets an HTML page and does nothing
                     ``query_limit``  the next request gets QUERY_LIMIT_EXCEEDED
                     ``operation_time_limit``  the next command gets OPERATION_TIME_LIMIT
                     ``insufficient_scope``    until cleared, for ``methods``
                     ``poison``       until cleared, for commands that contain ``marker``
                     ``lose_event``   the next event (``methods``: their names) reaches nobody
    DELETE …/failures  all off
    GET …/state      counts, recent requests per method, failures, limit
    GET …/leads      every lead with its timeline comments; ``?originId=`` picks
    POST …/handler   ``{"url", "token", "events"}``: who is told of changes, see `bitrix_events`
    POST …/calls     telephone calls, see `bitrix_telephony`
    POST …/limit     ``{"burst": 50, "per_s": 2}`` or ``{"off": true}``
    POST …/reset     as at the start, but no id is given out again
"""

from __future__ import annotations

import asyncio
import hmac
import time
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from deployments.sandbox.bitrix_batch import carry_out, carry_out_batch, is_write, spent
from deployments.sandbox.bitrix_control import bitrix_control
from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_php import form_params, query_params
from deployments.sandbox.bitrix_portal import Portal

__all__ = ["Portal", "bitrix_app", "bitrix_control"]

_HTML = "<html><body><h1>{} {}</h1><hr>nginx</body></html>"


@dataclass(slots=True)
class _Reply:
    status: int
    body: dict[str, Any]
    commands: int = 1

    def response(self) -> Response:
        return Response(orjson.dumps(self.body), self.status, media_type="application/json")


class _CutResponse(Response):
    """Half of an answer, after which the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"result":', "more_body": True})


def bitrix_app(portal: Portal) -> Starlette:
    """The REST door of a portal: ``/rest/{user}/{code}/{method}[.json]``, GET and POST."""

    async def rest(request: Request) -> Response:
        return await _answered(portal, request)

    async def unsigned(request: Request) -> Response:
        error = RestError("NO_AUTH_FOUND", "Wrong authorization data", 401)
        return _refusal(error, time.time()).response()

    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/rest/{user}/{code}/{method}", rest, methods=methods),
            Route("/rest/{method}", unsigned, methods=methods),
        ]
    )


async def _answered(portal: Portal, request: Request) -> Response:
    method = request.path_params["method"].lower().removesuffix(".json")
    params = await _params(request)
    failures = portal.failures
    if failures.strike("html_502", method):
        portal.note(method, status=502, error=None, commands=0)
        return Response(_HTML.format(502, "Bad Gateway"), 502, media_type="text/html")
    reply = _reply(portal, request, method, params)
    portal.note(method, status=reply.status, error=reply.body.get("error"), commands=reply.commands)
    if reply.status == 200 and is_write(method, params):
        lost = failures.strike("lose_answer", method)
        if lost and lost.how == "504":
            return Response(_HTML.format(504, "Gateway Time-out"), 504, media_type="text/html")
        if lost:
            return _CutResponse()
    if silence := failures.strike("silent", method):
        await _client_left(request, silence.seconds)
    return reply.response()


def _reply(portal: Portal, request: Request, method: str, params: dict[str, Any]) -> _Reply:
    started_at = time.time()
    try:
        _check_access(portal, request, method)
        if method == "batch":
            answer = carry_out_batch(portal, params)
        else:
            answer = carry_out(portal, method, params)
    except RestError as error:
        return _refusal(error, started_at)
    body = {"result": answer.result}
    if answer.total is not None:
        body["total"] = answer.total
    if answer.next is not None:
        body["next"] = answer.next
    body["time"] = spent(started_at)
    return _Reply(200, body, len(params.get("cmd", ())) if method == "batch" else 1)


def _check_access(portal: Portal, request: Request, method: str) -> None:
    given = f"{request.path_params['user']}/{request.path_params['code']}".encode()
    if not hmac.compare_digest(given, f"{portal.user}/{portal.code}".encode()):
        raise RestError("INVALID_CREDENTIALS", "Invalid request credentials", 401)
    full = portal.bucket is not None and portal.bucket.is_full()
    if full or portal.failures.strike("query_limit", method):
        raise RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def _refusal(error: RestError, started_at: float) -> _Reply:
    body: dict[str, Any] = {"error": error.code, "error_description": error.description}
    if error.reset_at is not None:
        body["time"] = {**spent(started_at), "operating_reset_at": error.reset_at}
    return _Reply(error.status, body, commands=0)


async def _params(request: Request) -> dict[str, Any]:
    query = request.url.query
    params = query_params(query) if query else {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form() as form:
            named = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        return params | form_params(named)
    body = await request.body()
    if kind == "application/x-www-form-urlencoded":
        return params | query_params(body.decode("utf-8", "replace"))
    try:
        sent = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        return params  # as json_decode in PHP, which gives null
    return params | sent if isinstance(sent, dict) else params


async def _client_left(request: Request, seconds: float) -> None:
    # The body is read, so the next message can only be the disconnect.
    try:
        await asyncio.wait_for(request.receive(), seconds)
    except TimeoutError:
        return
