"""What of a table is no mistake by itself, and will be missed: keys, ways, prices, tools."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deployments import llm_access
from deployments.settings import Settings
from lib.bounded import bounded
from lib.clients.prefect_api import PrefectApi
from lib.clients.providers import OF_ENVIRONMENT
from lib.clients.ways import DIRECT
from lib.domain.llm.table import Table
from lib.domain.routing import retiring
from lib.errors import PotokError
from lib.store.engine import Database
from lib.store.failures import StatementFailed
from lib.store.llm.health import Healths
from lib.store.llm.keys import Keys

log = logging.getLogger(__name__)

WITHIN_S = 3.0
SAYS_PRICES = ("openrouter",)  # with every answer


@dataclass(frozen=True, slots=True)
class Known:
    """What is configured, as far as it can be seen.

    Attributes:
        credentials: names of blocks with providers' keys, or of the environment's.
        egresses: names of ways out.
        tools: names of living keys; None: the database does not answer.
        priced: models whose price the last probe found.
    """

    credentials: set[str] = field(default_factory=set)
    egresses: set[str] = field(default_factory=set)
    tools: set[str] | None = None
    priced: set[str] = field(default_factory=set)


async def known(settings: Settings) -> Known:
    """What the environment, the Prefect server and the database say; who is away says nothing."""
    credentials = set(OF_ENVIRONMENT) | set(llm_access.provider_keys(settings))
    egresses = {DIRECT} | set(llm_access.egresses(settings))
    if settings.is_sandbox:  # where all ways are direct
        egresses.add(llm_access.EGRESS)
    credentials |= set(await _blocks(settings, llm_access.KEY_BLOCKS))
    egresses |= set(await _blocks(settings, llm_access.EGRESS_BLOCKS))
    try:
        tools, priced = await _of_database(settings)
    except (PotokError, StatementFailed, TimeoutError) as exc:
        log.info("check.without_database reason=%s", exc)
        return Known(credentials, egresses)
    return Known(credentials, egresses, tools, priced)


async def _of_database(settings: Settings) -> tuple[set[str], set[str]]:
    """The names of living keys, and the models whose price is known."""
    database = Database(settings.database_url, pool_size=1)
    try:
        keys = await bounded(Keys(database).living(), WITHIN_S)
        found = await bounded(Healths(database).read(), WITHIN_S)
    finally:
        await database.close()
    priced = {f"{each.provider}/{each.model}" for each in found if each.price_in_usd is not None}
    return {key.name for key in keys}, priced


async def _blocks(settings: Settings, kind: str) -> Mapping[str, Any]:
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    try:
        return await bounded(prefect.block_values(kind), WITHIN_S)
    except (PotokError, TimeoutError) as exc:
        log.info("check.without_prefect reason=%s", exc)
        return {}
    finally:
        await prefect.close()


def warnings(table: Table, seen: Known) -> list[str]:
    """What a person should know of a table that may well be right, a line each."""
    today = datetime.now(UTC).date()
    leaving = [
        f"{alias}: {each.name} retires on {day}" for alias, each, day in retiring(table, today)
    ]
    return [
        *_of_providers(table, seen),
        *_of_prices(table, seen),
        *_of_tools(table, seen),
        *leaving,
    ]


def _of_providers(table: Table, seen: Known) -> list[str]:
    told = []
    for name, provider in table.providers.items():
        wanted = provider.credential
        if wanted is not None and wanted not in seen.credentials:
            told.append(
                f"providers.{name}: nobody has configured `credential: {wanted}`: make a block"
                f" `potok model provider` named {wanted} ({', '.join(OF_ENVIRONMENT)} come from"
                " .env)"
            )
        if provider.egress not in seen.egresses:
            by = "set EGRESS_PROXY_URL or EGRESS_DNS, then `potok init`"
            if provider.egress != llm_access.EGRESS:
                by = f"make a block `potok egress` named {provider.egress}"
            told.append(f"providers.{name}: there is no way `egress: {provider.egress}`: {by}")
    return told


def _of_prices(table: Table, seen: Known) -> list[str]:
    told = []
    for name, alias in table.aliases.items():
        for candidate in alias.candidates:
            kind = table.providers[candidate.provider].kind
            if candidate.price is not None or candidate.name in seen.priced or kind == "ollama":
                continue
            if alias.order == "price":
                told.append(f"{name}: {candidate.name} has no `price`, and counts as the cheapest")
            elif kind not in SAYS_PRICES:
                told.append(f"{name}: {candidate.name} has no `price`: no budget counts it")
    return told


def _of_tools(table: Table, seen: Known) -> list[str]:
    if seen.tools is None:
        return []
    return [
        f"permissions.{name}: no living key has this name: `potok llm key create --tool {name}`"
        for name in table.permissions
        if name not in seen.tools
    ]
