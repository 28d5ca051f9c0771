"""The process of the door to the models: ``python -m deployments.llm``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from deployments import llm_access
from deployments.serving import Beside, run, serve_app
from deployments.settings import Settings
from lib.clients.prefect_api import PrefectApi
from lib.clients.providers import Providers
from lib.clients.ways import Ways
from lib.gateway.llm.app import create_llm_app
from lib.gateway.llm.door import House
from lib.router.board import Board
from lib.router.keyring import Keyring
from lib.router.meter import Meter
from lib.router.router import Router
from lib.router.shelf import Shelf
from lib.store.engine import Database
from lib.store.llm.cache import Cache, PostgresCache, RedisCache
from lib.store.llm.calls import Calls
from lib.store.llm.health import Healths
from lib.store.llm.keys import Keys
from lib.store.llm.rates import Rates
from lib.store.llm.slots import Slots

STATEMENT_TIMEOUT_S = 5.0


@asynccontextmanager
async def house_of(
    settings: Settings, table: Path
) -> AsyncIterator[tuple[House, Sequence[Beside]]]:
    """The door's parts, connected; and what has to run beside them."""
    database = Database(settings.database_url, 4, STATEMENT_TIMEOUT_S)
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    shelf = Shelf(table, llm_access.addresses(settings))
    ways = Ways()
    vault = llm_access.Vault(settings, ways)
    await vault.open()
    board = Board(Healths(database))
    slots = Slots(database)
    cache = cache_of(settings, database)
    keyring = Keyring(Keys(database), Rates(database), lambda: shelf.table)
    meter = Meter(Calls(database), keyring)
    router = Router(shelf, Providers(ways), vault.key, board, slots, cache)
    beside: list[Beside] = [
        shelf.watch,
        keyring.watch,
        board.watch,
        meter.write_always,
        partial(vault.watch, prefect),
    ]
    try:
        yield House(router, keyring, meter), beside
    finally:
        await ways.close()
        await slots.close()
        await prefect.close()
        await database.close()


def cache_of(settings: Settings, database: Database) -> Cache:
    """Where answers are kept: Valkey or Redis when there is one, else PostgreSQL."""
    if settings.redis_url is not None:
        return RedisCache(settings.redis_url.get_secret_value())
    return PostgresCache(database)


async def serve(settings: Settings, table: Path = llm_access.TABLE) -> None:
    """Answer until SIGTERM or SIGINT."""
    async with house_of(settings, table) as (house, beside):
        app = create_llm_app(house)
        await serve_app(app, settings.host, settings.llm_port, beside)
        await house.meter.write()


if __name__ == "__main__":
    run(serve)
