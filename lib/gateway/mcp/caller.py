"""Who calls a tool, what they may, and how an error of ours is told to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging import INFO
from typing import Any

from fastmcp.exceptions import FastMCPError, ResourceError, ToolError
from fastmcp.resources import Resource
from fastmcp.server.dependencies import get_access_token
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool
from fastmcp.tools.base import ToolResult

from lib.domain.mcp_schemas import input_schema
from lib.domain.mcp_scopes import SCOPES, Scope, is_within
from lib.errors import PotokError
from lib.store.failures import StatementFailed


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: a token's name, and its scopes."""

    name: str
    scopes: frozenset[Scope]


NOBODY = Caller("nobody", frozenset())


class Callers:
    """Tells who asks now.

    Args:
        local: who asks by stdio, where nobody shows a token; None: there is no such.
    """

    def __init__(self, local: Caller | None = None) -> None:
        self._local = local

    def now(self) -> Caller:
        """Who sent the message that is worked on."""
        if self._local is not None:
            return self._local
        token = get_access_token()
        if token is None:
            return NOBODY
        known = frozenset(scope for scope in SCOPES if scope in token.scopes)
        return Caller(str(token.claims.get("name")), known)


class Scoped(Middleware):
    """Shows a caller the tools that its scopes allow, and refuses the others by name.

    A tool's scope is the one among its tags; a tool without one is for ``admin``.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def on_list_tools(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """The tools that this caller may call, with schemas that every client takes."""
        scopes = self._callers.now().scopes
        return [
            tool.model_copy(update={"parameters": input_schema(tool.parameters, {})})
            for tool in await call_next(context)
            if is_within(scopes, _scope(tool.tags))
        ]

    async def on_call_tool(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, ToolResult]
    ) -> ToolResult:
        """Call a tool, if this caller may."""
        assert context.fastmcp_context is not None
        name = context.message.name
        tool = await context.fastmcp_context.fastmcp.get_tool(name)
        if tool is None:
            away = "; those of deployments are known once Prefect has answered"
            raise ToolError(f"there is no tool {name[:64]!r}{away}", log_level=INFO)
        self._check(_scope(tool.tags), ToolError)
        return await call_next(context)

    async def on_list_resources(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Resource]]
    ) -> Sequence[Resource]:
        """The resources; all are for ``read``."""
        found = await call_next(context)
        return found if is_within(self._callers.now().scopes, "read") else []

    async def on_read_resource(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        """Read a resource, if this caller may."""
        self._check("read", ResourceError)
        return await call_next(context)

    def _check(self, wanted: str, error: type[FastMCPError]) -> None:
        caller = self._callers.now()
        if not is_within(caller.scopes, wanted):
            has = ", ".join(sorted(caller.scopes)) or "none"
            raise error(
                f"this token has not the scope {wanted!r} that this needs (it has: {has});"
                f" `potok mcp token create NAME --scopes {wanted}` makes one that has",
                log_level=INFO,
            )


def _scope(tags: set[str]) -> str:
    return next((scope for scope in SCOPES if scope in tags), "admin")


@contextmanager
def told(error: type[FastMCPError] = ToolError) -> Iterator[None]:
    """Raise what a client is shown in place of our errors: their words, which hold no secret."""
    try:
        yield
    except PotokError as exc:
        raise error(str(exc), log_level=INFO) from None
    except StatementFailed:
        raise error("the database refuses a statement") from None
