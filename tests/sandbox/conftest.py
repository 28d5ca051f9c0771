"""Fixtures of the sandbox's own tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.sandbox.app import create_app
from tests.sandbox.telegram_box import Hook, Sandbox
from tests.sandbox_server import running


@pytest.fixture(scope="session")
async def served() -> AsyncIterator[Sandbox]:
    """The servers of all tests here; starting and ending them is what would take time."""

    async def answer(request: Request) -> Response:
        return await sandbox.hook(request)

    hook_app = Starlette(routes=[Route("/hook", answer, methods=["POST"])])
    async with AsyncExitStack() as stack:
        hook_url = await stack.enter_async_context(running(hook_app))
        url = await stack.enter_async_context(running(create_app()))
        client = httpx.AsyncClient(base_url=url, timeout=10)
        http = await stack.enter_async_context(client)
        sandbox = Sandbox(http, Hook(), f"{hook_url}/hook")
        yield sandbox


@pytest.fixture
async def box(served: Sandbox) -> AsyncIterator[Sandbox]:
    served.hook = Hook()
    yield served
    served.hook.gate.set()
    await served.control("reset")
