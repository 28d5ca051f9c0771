"""One Bot API call: its parameters, read as leniently and refused as exactly as the vendor does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.requests import Request

from deployments.sandbox.telegram_world import ApiError, Bot, World


class Upload(NamedTuple):
    """A file that came with the call."""

    name: str
    mime: str
    content: bytes


class Answer(NamedTuple):
    """A result that comes with a description."""

    result: Any
    description: str


@dataclass
class Call:
    """A method call of one bot; forms carry nested values as JSON strings."""

    world: World
    bot: Bot
    method: str
    params: dict[str, Any]
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A parameter as text; empty when absent."""
        value = self.params.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """A parameter as an integer; the default when absent or not a number."""
        try:
            return int(self.text(name))
        except ValueError:
            return default

    def structure(self, name: str) -> Any:
        """A nested parameter; None when absent.

        Raises:
            ApiError: it is not JSON.
        """
        value = self.params.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise ApiError(400, f"Bad Request: can't parse {name} JSON object") from None

    def is_true(self, name: str) -> bool:
        """A boolean parameter, spelled in any of the vendor's ways."""
        return self.text(name).lower() in {"true", "yes", "1"}

    def chat(self) -> dict[str, Any]:
        """The chat named by ``chat_id``; a bot cannot write to who never wrote to it.

        Raises:
            ApiError: no such chat, or the person blocked the bot.
        """
        if not self.text("chat_id"):
            raise ApiError(400, "Bad Request: chat_id is empty")
        chat = self.bot.chats.get(self.number("chat_id"))
        if chat is None:
            raise ApiError(400, "Bad Request: chat not found")
        if chat["id"] in self.bot.blocked_by:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat


async def call_from(request: Request, world: World, bot: Bot, method: str) -> Call:
    """Read a call's parameters from query, form or JSON.

    Raises:
        ApiError: the body is not what its content type says.
    """
    params: dict[str, Any] = dict(request.query_params)
    uploads: dict[str, Upload] = {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        params |= _parsed(await request.body())
    elif kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        async with request.form(max_part_size=60 << 20) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    mime = value.content_type or "application/octet-stream"
                    uploads[name] = Upload(value.filename or name, mime, await value.read())
                else:
                    params[name] = value
    return Call(world, bot, method, params, uploads)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        params = json.loads(body) if body else {}
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise ApiError(400, "Bad Request: can't parse request: expected an Object")
    return params
