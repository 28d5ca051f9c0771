"""The MCP server over HTTP: Streamable HTTP at ``/mcp``, and for old clients SSE at ``/sse``.

Source: modelcontextprotocol.io/specification (transports, security), read 2026-11-26.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.http import HostOriginGuardMiddleware, create_sse_app
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.gateway.headers import BoundedHeaders
from lib.gateway.mcp.gate import Gate, Rated
from lib.router.keyring import Keyring
from lib.store.llm.keys import Keys

HTTP, SSE, MESSAGES = "/mcp", "/sse", "/messages/"


def create_mcp_app(
    server: FastMCP[Any], keyring: Keyring, keys: Keys, hosts: Sequence[str] = ()
) -> Starlette:
    """The doors.

    Args:
        server: what is behind them.
        keyring: who may come in.
        keys: where it is noted that a token was used.
        hosts: names that a request may call this machine by, besides its address and localhost; a
            page in a browser that reaches it by another name is refused (DNS rebinding).
    """
    server.add_middleware(Rated(keyring))
    # Without sessions: there is nothing to keep, and no client notices a restart.
    http = server.http_app(path=HTTP, stateless_http=True)
    sse = create_sse_app(server, MESSAGES, SSE)
    door = Gate(_either(http, sse), keyring, keys)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with http.lifespan(http), sse.lifespan(sse):
            yield

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    guard = Middleware(HostOriginGuardMiddleware, allowed_hosts=list(hosts), mode="strict")
    return Starlette(
        routes=[Route("/healthz", health), Mount("/", app=_known_only(door))],
        middleware=[Middleware(BoundedHeaders), guard],
        lifespan=lifespan,
    )


def _known_only(door: ASGIApp) -> ASGIApp:
    """The door for its own paths; for others 404 without a token: clients look for OAuth there."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.rstrip("/") in (HTTP, SSE) or path.startswith(MESSAGES):
            await door(scope, receive, send)
        else:
            await JSONResponse({"error": "not_found"}, 404)(scope, receive, send)

    return ask


def _either(http: ASGIApp, sse: ASGIApp) -> ASGIApp:
    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        await (http if scope["path"].startswith(HTTP) else sse)(scope, receive, send)

    return ask
