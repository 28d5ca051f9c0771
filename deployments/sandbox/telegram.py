"""Telegram Bot API over real HTTP: envelopes, refusals, webhook delivery, files.

Base URL ``…/telegram``: methods at ``/bot{token}/{method}``, files at ``/file/bot{token}/{path}``.
Any token of the form digits:text is a bot. It is never kinder than the vendor, but for one thing:
a webhook on a loopback address may be plain http, as a local Bot API server allows.

Control, under ``/control/telegram`` (JSON; without ``token`` the only bot with a webhook is meant):

    POST …/say         what a person writes (see `Said`), or many as ``{"messages": […]}``
    POST …/press       a button: ``{"as", "message_id", "text": data}``
    POST …/redeliver   ``{"update_id"}`` once more, as after a lost 200
    POST …/block       ``{"as"}`` blocks the bot, until their next message
    POST …/revoke      ``{"token"}`` answers 401 from now on
    POST …/settings    see `Settings`: retry_factor, expiry_s, per_chat_s …
    POST …/failures    ``{"kind", "times", "method", …}``, all but ``kind`` optional (see
                       `Failure`); method ``download`` is files. Kinds:
                       ``status``  refused with ``status`` and ``retry_after_s``; 502 and 504 are
                                   a proxy's page
                       ``slow``    answers after ``delay_s``
                       ``hang``    nothing is done, no answer comes
                       ``lost``    it is done, no answer comes
                       ``cut``     it is done, the connection breaks in the answer
    GET …/failures     what is on; DELETE ends it
    POST …/reset       as at the start
    GET  …/sent        messages that bots sent; ``?chat_id=`` picks
    GET  …/pending     what waits, by queue
    GET  …/deliveries  every attempt to deliver: outcome, when it began and ended
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from deployments.sandbox import telegram_messages as messages
from deployments.sandbox import telegram_webhooks as webhooks
from deployments.sandbox.failures import CutResponse, Failure, never_answered
from deployments.sandbox.telegram_call import Answer, Call, call_from
from deployments.sandbox.telegram_world import ApiError, Bot, World

_PHRASES = {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
_NOT_IN_REPLIES = ("get", "setwebhook", "deletewebhook", "close", "logout")


async def _get_me(call: Call) -> dict[str, Any]:
    flags = {"can_join_groups": True, "can_read_all_group_messages": False}
    return call.bot.user | flags | {"supports_inline_queries": False}


async def _set_webhook(call: Call) -> Answer:
    return await webhooks.set_webhook(call, execute_for(call.world))


METHODS: dict[str, Callable[[Call], Awaitable[Any]]] = {
    "getme": _get_me,
    "setwebhook": _set_webhook,
    "deletewebhook": webhooks.delete_webhook,
    "getwebhookinfo": webhooks.webhook_info,
    "getupdates": webhooks.get_updates,
    "sendmessage": messages.send_message,
    "editmessagetext": messages.edit_message_text,
    "senddocument": messages.send_document,
    "sendphoto": messages.send_photo,
    "sendvoice": messages.send_voice,
    "sendchataction": messages.send_chat_action,
    "answercallbackquery": messages.answer_callback_query,
    "getfile": messages.get_file,
    "setmycommands": messages.set_my_commands,
}


def telegram_app(world: World) -> Router:
    """The Bot API of one world, to be mounted at ``/telegram``."""

    async def method(request: Request) -> Response:
        try:
            return await _answer(request, world)
        except ApiError as error:
            return _refusal(error)

    async def file(request: Request) -> Response:
        try:
            bot = world.bot(request.path_params["token"])
            stored = bot.paths.get(request.path_params["path"])
            if stored is None:
                raise ApiError(404, "Not Found")
        except ApiError as error:
            return _refusal(error)
        if (failure := world.failures.next_for("download")) is not None:
            return await _spoiled(request, failure)
        return Response(stored.content, media_type="application/octet-stream")

    return Router(
        routes=[
            Route("/bot{token}/{method}", method, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", file),
        ]
    )


def execute_for(world: World) -> Callable[[Bot, dict[str, Any]], Awaitable[None]]:
    """What carries out a method that a webhook answered with; refusals stay unseen."""

    async def execute(bot: Bot, body: dict[str, Any]) -> None:
        name = str(body["method"]).lower()
        if name in METHODS and not name.startswith(_NOT_IN_REPLIES):
            call = Call(world, bot, name, {k: v for k, v in body.items() if k != "method"})
            with contextlib.suppress(ApiError):
                await METHODS[name](call)

    return execute


async def _answer(request: Request, world: World) -> Response:
    bot = world.bot(request.path_params["token"])
    name = request.path_params["method"].lower()
    call = await call_from(request, world, bot, name)
    world.calls[name] = world.calls.get(name, 0) + 1
    failure = world.failures.next_for(name)
    if failure is not None and failure.kind in {"status", "hang"}:
        return await _spoiled(request, failure)
    if name not in METHODS:
        raise ApiError(404, "Not Found: method not found")
    if failure is not None and failure.kind == "slow":
        await asyncio.sleep(failure.delay_s)
    result = await METHODS[name](call)
    if failure is not None and failure.kind in {"lost", "cut"}:
        return await _spoiled(request, failure)
    if isinstance(result, Answer):
        return JSONResponse(
            {"ok": True, "result": result.result, "description": result.description}
        )
    return JSONResponse({"ok": True, "result": result})


async def _spoiled(request: Request, failure: Failure) -> Response:
    if failure.kind == "slow":
        await asyncio.sleep(failure.delay_s)
    if failure.kind == "cut":
        return CutResponse()
    if failure.kind != "status":
        return await never_answered(request)
    if failure.status in {502, 504}:
        page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
        return Response(page, failure.status, media_type="text/html")
    if failure.status == 429:
        wait_s = 1 if failure.retry_after_s is None else failure.retry_after_s
        description = f"Too Many Requests: retry after {wait_s}"
        return _refusal(ApiError(429, description, retry_after=wait_s))
    phrase = _PHRASES.get(failure.status, "Bad Request: switched-on failure")
    return _refusal(ApiError(failure.status, phrase))


def _refusal(error: ApiError) -> Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code}
    body["description"] = error.description
    if error.parameters:
        body["parameters"] = error.parameters
    return JSONResponse(body, status_code=error.code)
