"""Ways out to the vendors: directly, through a proxy, or with another DNS server.

Source: docs.aiohttp.org/en/stable/client_advanced.html, github.com/romis2012/aiohttp-socks,
read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp_socks import ProxyConnector

from lib.clients._http import USER_AGENT
from lib.errors import Denied

DIRECT = "direct"
KEPT_CONNECTIONS = 1_000
LONGEST_S = 3600.0  # every request has a shorter deadline of its own


@dataclass(frozen=True, slots=True)
class Egress:
    """A way out.

    Attributes:
        proxy: ``http://``, ``socks5://`` or ``socks4://``, with user and password where it asks
            for them: a secret; None: none.
        dns: addresses of DNS servers that are asked instead of the machine's.
    """

    proxy: str | None = field(default=None, repr=False)
    dns: tuple[str, ...] = ()

    @classmethod
    def of(cls, block: Mapping[str, Any]) -> Self:
        """The way out that a block's values describe."""
        return cls(block.get("proxy"), tuple(block.get("dns") or ()))


@dataclass(slots=True)
class _Way:
    egress: Egress
    session: aiohttp.ClientSession
    users: int = 0
    is_current: bool = True


class Ways:
    """Connections by way, kept. Made inside a running event loop."""

    def __init__(self) -> None:
        self._egresses: dict[str, Egress] = {DIRECT: Egress()}
        self._ways: dict[str, _Way] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The ways that are known."""
        return tuple(self._egresses)

    async def set(self, egresses: dict[str, Egress]) -> None:
        """Know these ways from now on; what is under way on another goes on to its end."""
        self._egresses = {DIRECT: Egress()} | egresses
        for name, way in list(self._ways.items()):
            if self._egresses.get(name) != way.egress:
                del self._ways[name]
                way.is_current = False
                await _close_if_idle(way)

    @asynccontextmanager
    async def session(self, name: str) -> AsyncIterator[aiohttp.ClientSession]:
        """The connections by a way.

        Raises:
            Denied: it is not known: nobody has configured its block.
        """
        if (way := self._ways.get(name)) is None:
            if (egress := self._egresses.get(name)) is None:
                raise Denied(f"no way out named {name!r}: set its proxy, then `potok init`")
            way = self._ways[name] = _Way(egress, _session(egress))
        way.users += 1
        try:
            yield way.session
        finally:
            way.users -= 1
            await _close_if_idle(way)

    async def close(self) -> None:
        """Close every connection."""
        while self._ways:
            await self._ways.popitem()[1].session.close()


async def _close_if_idle(way: _Way) -> None:
    if not way.is_current and way.users == 0:
        await way.session.close()


def _session(egress: Egress) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_connector(egress),
        headers={"user-agent": USER_AGENT},
        timeout=aiohttp.ClientTimeout(total=LONGEST_S),
        auto_decompress=True,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _connector(egress: Egress) -> aiohttp.BaseConnector:
    if egress.proxy is not None:
        return ProxyConnector.from_url(egress.proxy, limit=KEPT_CONNECTIONS)
    resolver = aiohttp.AsyncResolver(nameservers=list(egress.dns)) if egress.dns else None
    return aiohttp.TCPConnector(limit=KEPT_CONNECTIONS, resolver=resolver)
