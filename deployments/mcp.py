"""The process of the MCP server: ``python -m deployments.mcp``; by stdio, ``potok mcp``."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from deployments.flow_map import flow_map
from deployments.serving import run, serve_app
from deployments.settings import Settings
from deployments.speech_access import BLOCK as SPEECH_BLOCK
from deployments.version import version
from lib.clients.prefect_runs import PrefectRuns
from lib.clients.speech import Speech
from lib.domain.llm.table import Table
from lib.domain.mcp_scopes import Scope
from lib.errors import Rejected
from lib.gateway.mcp.app import create_mcp_app
from lib.gateway.mcp.caller import Caller, Callers
from lib.gateway.mcp.house import House
from lib.gateway.mcp.server import create_server
from lib.router.keyring import Keyring
from lib.store.engine import Database
from lib.store.inbox import Inbox
from lib.store.lead_search import LeadSearch
from lib.store.llm.keys import Keys
from lib.store.llm.rates import Rates

STATEMENT_TIMEOUT_S = 5.0
SPEECH_BLOCKS = "potok-speech"
SPEECH_FOR_S = 60.0
MADE_BY = "potok mcp token create"


class SpeechDesk:
    """The connection to the speech service that the flows use, read again now and then."""

    def __init__(self, prefect: PrefectRuns) -> None:
        self._prefect = prefect
        self._read_at = float("-inf")
        self._address: tuple[str, str] | None = None
        self._speech: Speech | None = None

    async def speech(self) -> Speech:
        """The connection.

        Raises:
            Rejected: no speech service is configured.
            Unavailable: Prefect, which knows its key, is away.
        """
        if time.monotonic() - self._read_at > SPEECH_FOR_S:
            block = (await self._prefect.block_values(SPEECH_BLOCKS)).get(SPEECH_BLOCK)
            address = (block["base_url"], block["api_key"]) if block else None
            if address != self._address:
                await self.close()
                self._speech = Speech(*address) if address else None
            self._address, self._read_at = address, time.monotonic()
        if self._speech is None:
            raise Rejected("there is no speech service: SPEECH_MODEL or SPEECH_URL names one")
        return self._speech

    async def close(self) -> None:
        """Close the connection."""
        if self._speech is not None:
            await self._speech.aclose()


@asynccontextmanager
async def house_of(
    settings: Settings, database: Database, callers: Callers
) -> AsyncIterator[House]:
    """What is behind the tools, connected."""
    prefect = PrefectRuns(settings.prefect_api_url, settings.prefect_auth)
    desk = SpeechDesk(prefect)
    try:
        yield House(
            callers,
            prefect,
            LeadSearch(database),
            Inbox(database),
            desk.speech,
            {flow.name: flow for flow in flow_map()},
            settings.prefect_ui_url,
        )
    finally:
        await desk.close()
        await prefect.close()


async def serve(settings: Settings) -> None:
    """Answer over HTTP until SIGTERM or SIGINT."""
    _be_quiet()
    database = Database(settings.database_url, 4, STATEMENT_TIMEOUT_S)
    keys = Keys(database)
    keyring = Keyring(keys, Rates(database), _no_table, MADE_BY)
    try:
        async with house_of(settings, database, Callers()) as house:
            app = create_mcp_app(create_server(house, version()), keyring, keys, settings.mcp_hosts)
            await serve_app(app, settings.mcp_host, settings.mcp_port, [keyring.watch])
    finally:
        await database.close()


async def serve_stdio(settings: Settings, scopes: Iterable[Scope]) -> None:
    """Answer whoever started this process, by its input and output, until they close them."""
    _be_quiet()
    database = Database(settings.database_url, 2, STATEMENT_TIMEOUT_S)
    local = Callers(Caller("local", frozenset(scopes)))
    try:
        async with house_of(settings, database, local) as house:
            await create_server(house, version()).run_stdio_async(show_banner=False)
    finally:
        await database.close()


def _be_quiet() -> None:
    """Have the library log no call that was refused: its client was told."""
    logging.getLogger("fastmcp").setLevel(logging.WARNING)


def _no_table() -> Table:
    raise Rejected("a token of MCP asks no models")


if __name__ == "__main__":
    run(serve)
