"""Where the providers are, their keys, and the ways out to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from deployments.settings import ROOT, Settings
from deployments.stack import sandbox_access
from lib.clients.prefect_api import PrefectApi
from lib.clients.ways import Egress, Ways
from lib.errors import PotokError

log = logging.getLogger("potok.llm")

TABLE = ROOT / "deployments" / "llm.yaml"
KEY_BLOCKS = "potok-model-provider"
EGRESS_BLOCKS = "potok-egress"
EGRESS = "us"  # the block that EGRESS_PROXY_URL and EGRESS_DNS make
REFRESH_S = 15.0

_SANDBOX = {
    "ollama": "/ollama",
    "openrouter": "/openrouter/api/v1",
    "groq": "/groq/openai/v1",
    "anthropic": "/anthropic",
}


def addresses(settings: Settings) -> dict[str, str]:
    """Base URLs that count over the table's, by the kind of provider."""
    if settings.is_sandbox:
        return {kind: settings.sandbox_url + path for kind, path in _SANDBOX.items()}
    return {"ollama": settings.ollama_url} if settings.ollama_url else {}


def provider_keys(settings: Settings) -> dict[str, str]:
    """The providers' keys as the environment has them, by the name of their block."""
    if settings.is_sandbox:
        names = ("openrouter", "groq", "anthropic")
        return dict.fromkeys(names, sandbox_access.PROVIDER_KEY)
    given = {
        "openrouter": settings.openrouter_api_key,
        "groq": settings.groq_api_key,
        "anthropic": settings.anthropic_api_key,
    }
    return {name: key.get_secret_value() for name, key in given.items() if key}


def egresses(settings: Settings) -> dict[str, Egress]:
    """The ways out as the environment has them, by the name of their block."""
    proxy, dns = settings.egress_proxy_url, settings.egress_dns
    if settings.is_sandbox or (proxy is None and dns is None):
        return {}
    servers = tuple(part.strip() for part in (dns or "").split(",") if part.strip())
    return {EGRESS: Egress(proxy.get_secret_value() if proxy else None, servers)}


class Vault:
    """The providers' keys and the ways out: blocks, and the environment where there is none."""

    def __init__(self, settings: Settings, ways: Ways) -> None:
        self._settings = settings
        self._ways = ways
        self._keys = provider_keys(settings)

    def key(self, name: str) -> str | None:
        """A provider's key by the name of its block; None: nobody has configured it."""
        return self._keys.get(name)

    async def open(self) -> None:
        """Know what the environment says."""
        await self._ways.set(egresses(self._settings))

    async def watch(self, prefect: PrefectApi) -> None:
        """Follow the blocks for ever; with Prefect away what is known holds."""
        while not self._settings.is_sandbox:
            try:
                keys = await prefect.block_values(KEY_BLOCKS)
                ways = await prefect.block_values(EGRESS_BLOCKS)
            except PotokError as exc:
                log.warning("keys.not_refreshed reason=%s", exc)
            else:
                self._keys = provider_keys(self._settings) | _keys_in(keys)
                known = {name: Egress.of(values) for name, values in ways.items()}
                await self._ways.set(egresses(self._settings) | known)
            await asyncio.sleep(REFRESH_S)


def _keys_in(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Without what a sandbox left on the server."""
    return {
        name: str(values["api_key"])
        for name, values in blocks.items()
        if not sandbox_access.is_sandbox(values)
    }
