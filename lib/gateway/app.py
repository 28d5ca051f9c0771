"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from lib.errors import Unavailable
from lib.gateway.dispatcher import Dispatcher
from lib.gateway.health import Check, health_router
from lib.gateway.hooks import DoorKeys, hooks_router
from lib.store.inbox import Inbox


def create_app(
    inbox: Inbox, keys: DoorKeys, dispatcher: Dispatcher, checks: Mapping[str, Check]
) -> FastAPI:
    """The doors over an inbox, with the dispatcher running beside them.

    Args:
        inbox: where deliveries are committed.
        keys: who may knock.
        dispatcher: started and stopped with the application.
        checks: what ``/readyz`` asks besides the dispatcher.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(dispatcher.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def check_dispatcher() -> None:
        if not dispatcher.is_alive():
            raise Unavailable("the dispatcher does not turn")

    app = FastAPI(title="potok gateway", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(hooks_router(inbox, keys, dispatcher.wake))
    app.include_router(health_router({**checks, "dispatcher": check_dispatcher}, inbox))
    return app
