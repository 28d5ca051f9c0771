"""What tests of the Telegram stand-in share: a scripted webhook and a door to the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response

TOKEN = "42:secret-of-the-bot"
BOT = f"/telegram/bot{TOKEN}"
OGG = b"OggS" + bytes(2) + (96_000).to_bytes(8, "little") + bytes(20)


@dataclass
class Hook:
    """A webhook that answers as told and keeps what came."""

    answers: list[Response] = field(default_factory=list)
    came: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[str | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, request: Request) -> Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self.news:
            self.came.append(await request.json())
            self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
            self.news.notify_all()
        await self.gate.wait()
        self.at_once -= 1
        return self.answers.pop(0) if self.answers else Response()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(lambda: len(self.came) >= count)


@dataclass
class Sandbox:
    http: httpx.AsyncClient
    hook: Hook
    hook_url: str

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        answer = await self.http.post(f"{BOT}/{method}", json=params)
        body: dict[str, Any] = answer.json()
        assert body["ok"] == (answer.status_code == 200)
        assert body["ok"] or body["error_code"] == answer.status_code
        return body

    async def control(self, command: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/control/telegram/{command}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def say(self, text: str = "", person: str = "customer-1", **more: Any) -> dict[str, Any]:
        return await self.control("say", text=text, **{"as": person}, **more)

    async def state(self, what: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"/control/telegram/{what}")).json()
        return found

    async def hooked(self, **params: Any) -> None:
        assert (await self.call("setWebhook", url=self.hook_url, **params))["ok"]


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0.005)
