"""Making a Bitrix24 portal ready: its user fields, its rights, and who hears of its events.

Nothing of Prefect is imported: its block is read by HTTP, as the gateway reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from deployments.settings import Settings
from lib.clients.bitrix import Bitrix
from lib.clients.bitrix_setup import (
    BAND_FIELD,
    CALLS_FIELD,
    SCORE_FIELD,
    BitrixSetup,
    UserField,
)
from lib.clients.prefect_api import PrefectApi
from lib.domain.crm_events import EVENTS
from lib.errors import Denied, Unavailable

PATH = "/hooks/bitrix24"
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Outgoing:
    """What the portal's outgoing webhook has to be told."""

    address: str
    events: tuple[str, ...] = EVENTS


@dataclass(frozen=True)
class Ready:
    """What was made, and what is missing still."""

    made: list[str]
    there: list[str]
    lacking: list[str]
    outgoing: Outgoing


async def set_up(settings: Settings, portal: str = "main") -> Ready:
    """Make the fields that are missing, and look at the rights.

    Raises:
        Denied: no portal is configured, or it refuses the webhook.
        PotokError: Prefect or the portal is away.
    """
    block = await _block(settings, portal)
    wanted = _fields(block)
    async with Bitrix(block["webhook_url"]) as bitrix:
        setup = BitrixSetup(bitrix)
        lacking = await setup.lacking_scopes()
        made = [] if "crm" in lacking else await setup.ensure_user_fields(wanted)
    there = [] if "crm" in lacking else [f.name for f in wanted if f.name not in made]
    return Ready(made, there, lacking, outgoing(settings))


def outgoing(settings: Settings) -> Outgoing:
    """Where the portal delivers: beside the bot's hook, which is public already."""
    if settings.is_sandbox:
        return Outgoing(f"{settings.gateway_url}{PATH}")
    public = urlsplit(settings.telegram_webhook_url or "https://<public name>")
    return Outgoing(f"{public.scheme}://{public.netloc}{PATH}")


async def set_up_sandbox(settings: Settings) -> None:
    """The same for the stand-in portal, and its outgoing webhook with it.

    Raises:
        PotokError: it did not work out.
    """
    ready = await set_up(settings)
    token = settings.bitrix24_event_token
    told: dict[str, Any] = {
        "url": ready.outgoing.address,
        "token": token.get_secret_value() if token else "",
        "events": list(ready.outgoing.events),
    }
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
            url = f"{settings.sandbox_url}/control/bitrix/handler"
            (await http.post(url, json=told)).raise_for_status()
    except httpx.HTTPError as exc:
        raise Unavailable(f"the sandbox takes no handler of events ({type(exc).__name__})") from exc


async def _block(settings: Settings, portal: str) -> dict[str, Any]:
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    try:
        block = (await prefect.block_values("potok-bitrix24")).get(portal)
    finally:
        await prefect.close()
    if block is None:
        raise Denied("no portal is configured: set BITRIX24_WEBHOOK_URL, then `potok init`")
    return block


def _fields(block: dict[str, Any]) -> list[UserField]:
    return [
        UserField(block.get("score_field") or SCORE_FIELD, "integer", "potok: балл"),
        UserField(block.get("band_field") or BAND_FIELD, "string", "potok: класс"),
        UserField(block.get("calls_field") or CALLS_FIELD, "integer", "potok: звонков"),
    ]
