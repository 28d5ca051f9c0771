"""The control surface of the Telegram stand-in: people who write, failures, what was sent."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.refusals import plain
from deployments.sandbox.telegram_people import Said, Spoken, press, say, user_id_of
from deployments.sandbox.telegram_world import ApiError, Bot, Settings, World

Command = Callable[[World, dict[str, Any]], Any]


def telegram_control(world: World) -> list[Route]:
    """Routes to be mounted at ``/control/telegram``; bodies and answers are JSON."""

    async def reset(request: Request) -> Response:
        await world.reset()
        return JSONResponse({"ok": True})

    async def sent(request: Request) -> Response:
        chat = request.query_params.get("chat_id")
        messages = [m for m in world.sent if chat in {None, str(m["message"]["chat"]["id"])}]
        return JSONResponse({"count": len(messages), "messages": messages})

    async def pending(request: Request) -> Response:
        bots = [_state(bot) for bot in list(world.bots.values())]
        return JSONResponse({"pending": sum(bot["pending"] for bot in bots), "bots": bots})

    async def deliveries(request: Request) -> Response:
        return JSONResponse({"deliveries": list(world.deliveries)})

    commands = (
        Route(f"/{name}", _endpoint(world, command), methods=["POST"])
        for name, command in COMMANDS.items()
    )
    return [
        *commands,
        Route("/failures", world.failures.show_or_end, methods=["GET", "DELETE"]),
        Route("/reset", reset, methods=["POST"]),
        Route("/sent", sent),
        Route("/pending", pending),
        Route("/deliveries", deliveries),
    ]


def _endpoint(world: World, command: Command) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
            if not isinstance(body, dict):
                raise ValueError("the body is a JSON object")
            return JSONResponse(command(world, body))
        except ValidationError as error:
            return JSONResponse({"error": plain(error)}, status_code=422)
        except (ValueError, TypeError, KeyError, ApiError) as error:
            return JSONResponse({"error": str(error)}, status_code=422)

    return endpoint


def _say(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """One message, or many at once as ``{"messages": […]}``."""
    if "messages" in body:
        return {"said": [_say(world, each) for each in body["messages"]]}
    said = Said.model_validate(body)
    return _named(say(world, world.the_bot(said.token), said))


def _press(world: World, body: dict[str, Any]) -> dict[str, Any]:
    message_id = int(body.pop("message_id"))
    said = Said.model_validate(body)
    return _named(press(world, world.the_bot(said.token), said, message_id))


def _named(spoken: Spoken) -> dict[str, Any]:
    update_id = spoken.update.id if spoken.update else None
    return {
        "update_id": update_id,
        "chat_id": spoken.chat_id,
        "message_id": spoken.message_id,
        "update": spoken.update.body if spoken.update else None,
    }


def _redeliver(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Send an update once more, as after a lost 200."""
    bot = world.the_bot(body.get("token"))
    old = bot.history.get(int(body["update_id"]))
    if old is None:
        raise ValueError("no such update")
    bot.enqueue(dataclasses.replace(old, failures=0))
    return {"ok": True, "update_id": old.id}


def _block(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """A person blocks the bot, until the next message from them."""
    person = user_id_of(str(body["as"]))
    world.the_bot(body.get("token")).blocked_by.add(person)
    return {"ok": True, "chat_id": person}


def _revoke(world: World, body: dict[str, Any]) -> dict[str, Any]:
    world.revoked.add(str(body["token"]))
    return {"ok": True}


def _settings(world: World, body: dict[str, Any]) -> dict[str, Any]:
    known = {field.name for field in dataclasses.fields(Settings)}
    if unknown := set(body) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    for name, value in body.items():
        setattr(world.settings, name, float(value))
    return dataclasses.asdict(world.settings)


def _failures(world: World, body: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "failure": world.failures.switch_on(body).model_dump()}


def _state(bot: Bot) -> dict[str, Any]:
    now = time.time()
    webhook = bot.webhook
    return {
        "bot_id": bot.id,
        "webhook": webhook.url if webhook else None,
        "last_error": webhook.last_error if webhook else None,
        "pending": bot.pending,
        "queues": [
            {
                "queue": name,
                "updates": [update.id for update in queue],
                "failures": queue[0].failures if queue else 0,
                "expires_in_s": round(queue[0].expires_at - now) if queue else None,
            }
            for name, queue in bot.queues.items()
        ],
    }


COMMANDS: dict[str, Command] = {
    "say": _say,
    "press": _press,
    "redeliver": _redeliver,
    "block": _block,
    "revoke": _revoke,
    "settings": _settings,
    "failures": _failures,
}
