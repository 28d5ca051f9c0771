"""All stand-ins on one port: Telegram, Bitrix24, models, PaddleX, and the control surface."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from deployments.sandbox.anthropic import Anthropic
from deployments.sandbox.bitrix import Portal, bitrix_app, bitrix_control
from deployments.sandbox.groq import Groq
from deployments.sandbox.llm import Model, llm_app, llm_control
from deployments.sandbox.model_vendor import Vendor
from deployments.sandbox.ollama import Ollama
from deployments.sandbox.openrouter import OpenRouter
from deployments.sandbox.paddle import Paddle
from deployments.sandbox.telegram import telegram_app
from deployments.sandbox.telegram_control import telegram_control
from deployments.sandbox.telegram_world import World

_EPOCH_S = 1_767_225_600  # 2026-01-01


def create_app() -> Starlette:
    """The sandbox; its state is in memory and ends with it.

    Returns:
        ``/telegram`` (Bot API base URL), ``/bitrix`` (portal), ``/llm/v1`` (OpenAI base URL),
        ``/ollama``, ``/openrouter/api/v1``, ``/groq`` and ``/anthropic`` (base URLs of the vendors'
        own clients), ``/paddle`` (OCR), ``/control/VENDOR/…`` and ``GET /healthz``.
    """
    # A sandbox that starts anew must not give out ids that somebody has noted down: they begin
    # ever higher, by ten a second, which is more than a portal's limit lets anybody add.
    portal = Portal(first_id=int((time.time() - _EPOCH_S) * 10))
    world, model, paddle = World(), Model(), Paddle()
    vendors: dict[str, Vendor] = {
        "ollama": Ollama(),
        "openrouter": OpenRouter(),
        "groq": Groq(),
        "anthropic": Anthropic(),
    }

    async def healthz(request: Request) -> Response:
        return JSONResponse({"ok": True})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await world.reset()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/healthz", healthz),
            Mount("/control/telegram", routes=telegram_control(world)),
            Mount("/control/bitrix", routes=bitrix_control(portal)),
            Mount("/control/llm", routes=llm_control(model)),
            Mount("/control/paddle", routes=paddle.control()),
            *(Mount(f"/control/{name}", routes=v.control()) for name, v in vendors.items()),
            Mount("/telegram", telegram_app(world)),
            Mount("/bitrix", bitrix_app(portal)),
            Mount("/llm", llm_app(model)),
            Mount("/paddle", paddle.app()),
            *(Mount(f"/{name}", v.app()) for name, v in vendors.items()),
        ],
    )
