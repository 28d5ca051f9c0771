"""The gateway's process: ``python -m deployments.gateway``."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from deployments.serving import run, serve_app
from deployments.settings import Settings
from deployments.stack import sandbox_access
from lib.clients.prefect_api import PrefectApi
from lib.errors import PotokError
from lib.gateway.app import create_app
from lib.gateway.crm_hooks import PORTAL
from lib.gateway.health import Check
from lib.gateway.hooks import DoorKeys
from lib.store.dispatchers import check_dispatcher
from lib.store.engine import Database
from lib.store.inbox import Inbox

log = logging.getLogger("potok.gateway")

KEYS_REFRESH_S = 15.0
STATEMENT_TIMEOUT_S = 3.0  # before the inbox gives up: a wait for a lock ends on the server, too

Blocks = dict[str, dict[str, Any]]


async def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT."""
    database = Database(settings.database_url, 8, STATEMENT_TIMEOUT_S)
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    keys = keys_from(settings)
    inbox = Inbox(database)
    checks: dict[str, Check] = {
        "database": inbox.check,
        "prefect": prefect.check,
        "dispatcher": partial(check_dispatcher, database),
    }
    app = create_app(inbox, keys, checks)
    refreshing = partial(_refresh, keys, prefect, settings)
    try:
        await serve_app(app, settings.host, settings.port, [refreshing])
    finally:
        await prefect.close()
        await database.close()


def keys_from(settings: Settings) -> DoorKeys:
    """The doors' secrets as the environment has them: what holds until the blocks are read."""
    keys = DoorKeys()
    if settings.telegram_webhook_secret is not None:
        secret = settings.telegram_webhook_secret.get_secret_value()
        keys.bots[settings.telegram_bot_name] = secret
    if settings.forwarder_secret is not None:
        keys.forwarder = (settings.forwarder_secret.get_secret_value(),)
    if settings.bitrix24_event_token is not None:
        keys.portals[PORTAL] = settings.bitrix24_event_token.get_secret_value()
    return keys


async def _refresh(keys: DoorKeys, prefect: PrefectApi, settings: Settings) -> None:
    """Follow the credential blocks; with Prefect away the doors keep the keys they have."""
    while True:
        try:
            bots = await prefect.block_values("potok-telegram")
            forwarders = await prefect.block_values("potok-forwarder")
            portals = await prefect.block_values("potok-bitrix24")
            speech = await prefect.block_values("potok-speech")
        except PotokError as exc:
            log.warning("keys.not_refreshed reason=%s", exc)
        else:
            given = keys_from(settings)
            bots, forwarders = _ours(bots, settings), _ours(forwarders, settings)
            secrets = [v.get(k) for v in forwarders.values() for k in ("secret", "old_secret")]
            keys.bots = given.bots | {name: v["webhook_secret"] for name, v in bots.items()}
            keys.forwarder = tuple(filter(None, secrets)) or given.forwarder
            tokens = {n: v.get("event_token") for n, v in _ours(portals, settings).items()}
            keys.speech = tuple(v["callback_secret"] for v in speech.values())
            keys.portals = given.portals | {n: token for n, token in tokens.items() if token}
        await asyncio.sleep(KEYS_REFRESH_S)


def _ours(blocks: Blocks, settings: Settings) -> Blocks:
    """Without what a sandbox left on the server: its secrets open no real door."""
    if settings.is_sandbox:
        return blocks
    return {name: v for name, v in blocks.items() if not sandbox_access.is_sandbox(v)}


if __name__ == "__main__":
    run(serve)
