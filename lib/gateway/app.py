"""The gateway as an ASGI application."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from lib.gateway.crm_hooks import crm_hooks_router
from lib.gateway.headers import BoundedHeaders
from lib.gateway.health import Check, health_router
from lib.gateway.hooks import DoorKeys, hooks_router
from lib.gateway.speech_hooks import speech_hooks_router
from lib.store.inbox import Inbox


def create_app(inbox: Inbox, keys: DoorKeys, checks: Mapping[str, Check]) -> FastAPI:
    """The doors over an inbox.

    Args:
        inbox: where deliveries are committed.
        keys: who may knock.
        checks: what ``/readyz`` asks.
    """
    app = FastAPI(openapi_url=None)  # a stranger is told of no door; without it there are no docs
    app.add_middleware(BoundedHeaders)
    app.include_router(hooks_router(inbox, keys))
    app.include_router(crm_hooks_router(inbox, keys))
    app.include_router(speech_hooks_router(inbox, keys))
    app.include_router(health_router(checks, inbox))
    return app
