"""All stand-ins on one port: Telegram, Bitrix24, an LLM, and the control surface for them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from deployments.sandbox.bitrix import Portal, bitrix_app, bitrix_control
from deployments.sandbox.llm import Model, llm_app, llm_control
from deployments.sandbox.telegram import telegram_app
from deployments.sandbox.telegram_control import telegram_control
from deployments.sandbox.telegram_world import World

_EPOCH_S = 1_767_225_600  # 2026-01-01


def create_app() -> Starlette:
    """The sandbox; its state is in memory and ends with it.

    Returns:
        ``/telegram`` (Bot API base URL), ``/bitrix`` (portal), ``/llm/v1`` (OpenAI base URL),
        ``/control/{telegram,bitrix,llm}/…`` and ``GET /healthz``.
    """
    # A sandbox that starts anew must not give out ids that somebody has noted down: they begin
    # ever higher, by ten a second, which is more than a portal's limit lets anybody add.
    portal = Portal(first_id=int((time.time() - _EPOCH_S) * 10))
    world, model = World(), Model()

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
            Mount("/telegram", telegram_app(world)),
            Mount("/bitrix", bitrix_app(portal)),
            Mount("/llm", llm_app(model)),
        ],
    )
