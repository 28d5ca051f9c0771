"""The MCP server over HTTP in the test's own process, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from fastmcp import Client
from fastmcp.client import SSETransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError

from deployments.mcp import MADE_BY, house_of
from deployments.settings import Settings
from lib.domain.mcp_scopes import Scope, key_name, key_names
from lib.gateway.mcp.app import create_mcp_app
from lib.gateway.mcp.caller import Callers
from lib.gateway.mcp.server import create_server
from lib.router.keyring import Keyring
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from lib.store.llm.rates import Rates
from tests.sandbox_server import running


def no_table() -> Any:
    raise AssertionError("a token asks no models")


@dataclass
class Open:
    """The open door."""

    url: str
    settings: Settings
    database: Database
    keyring: Keyring
    progress: list[tuple[float, float | None, str | None]] = field(default_factory=list)

    async def token(self, *scopes: Scope, rpm: int = 100_000) -> str:
        """A new token that the door knows already."""
        new = NewKey(key_name(f"test-{uuid4()}"), key_names(scopes), rpm=rpm)
        secret = await Keys(self.database).create(new)
        await self.keyring.read()
        return secret

    async def client(self, *scopes: Scope, sse: bool = False, mode: Any = "auto") -> Client[Any]:
        """A client with a new token, not connected yet."""
        token = await self.token(*scopes)
        return self.client_of(token, sse=sse, mode=mode)

    def client_of(self, token: str, *, sse: bool = False, mode: Any = "auto") -> Client[Any]:
        """A client with this token; ``legacy`` is the protocol that today's IDEs speak."""
        transport: Any
        if sse:
            transport = SSETransport(f"{self.url}/sse", auth=token)
        else:
            transport = StreamableHttpTransport(f"{self.url}/mcp", auth=token)
        return Client(transport, mode=mode, progress_handler=self._note)

    async def _note(self, done: float, of: float | None, words: str | None) -> None:
        self.progress.append((done, of, words))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Open]:
    """The server over HTTP, in front of what the settings name."""
    database = Database(settings.database_url, 4, 5.0)
    keys = Keys(database)
    keyring = Keyring(keys, Rates(database), no_table, MADE_BY)
    async with house_of(settings, database, Callers()) as house:
        app = create_mcp_app(create_server(house, "test"), keyring, keys, settings.mcp_hosts)
        async with running(app) as url:
            yield Open(url, settings, database, keyring)
    await database.close()


async def refused(client: Client[Any], tool: str, arguments: dict[str, Any] | None = None) -> str:
    """Why a call is refused."""
    try:
        answer = await client.call_tool(tool, arguments or {})
    except ToolError as exc:
        return str(exc)
    raise AssertionError(f"{tool} was not refused: {answer}")
