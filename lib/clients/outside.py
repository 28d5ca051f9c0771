"""Addresses that come from outside: fetched and posted to only where the public internet is.

The address is checked where it counts, at the connection: a name is resolved once, by us, and what
it resolves to must be public. Redirects are followed by hand, each as carefully as the first.

Source: docs.aiohttp.org/en/stable/client_advanced.html (resolvers), RFC 6890, read 2026-11-26.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from lib.clients._closing import Closing
from lib.clients._http import USER_AGENT
from lib.errors import Rejected, Unavailable

REDIRECTS = 3
_CHUNK_BYTES = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class _Private(OSError):
    """A name resolves to an address that is not public."""


class _PublicOnly(AbstractResolver):
    """A resolver that knows public addresses, and those hosts that are allowed."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if f"{host}:{port}" not in self._allowed and not all(
            is_public(one["host"]) for one in found
        ):
            raise _Private(f"{host} is in a private network")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class Outside(Closing):
    """HTTP to addresses that strangers name. Made inside a running event loop.

    Args:
        allowed: ``host:port`` that may be private all the same, such as our own gateway.
        timeout_s: from the first byte sent to the last one read.
    """

    def __init__(self, allowed: frozenset[str] = frozenset(), timeout_s: float = 30.0) -> None:
        self._allowed = allowed
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_PublicOnly(allowed), use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=5.0),
            headers={"user-agent": USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    def check(self, url: str) -> None:
        """Raise Rejected unless it is an HTTP address that is not plainly private."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:  # http://[, http://a:99999
            raise Rejected("the address is not one of HTTP") from None
        if parts.scheme not in ("http", "https") or not host:
            raise Rejected("the address must begin with https:// or http:// and name a host")
        if parts.username is not None or parts.password is not None:
            raise Rejected("the address must hold no user name and no password")
        port = port or (443 if parts.scheme == "https" else 80)
        if _is_plainly_private(host) and f"{host}:{port}" not in self._allowed:
            raise Rejected("the address is in a private network")

    async def fetch(self, url: str, into: Path, limit_bytes: int) -> int:
        """Save what is at an address; redirects are followed three times.

        Returns:
            How many bytes.

        Raises:
            Rejected: it is private or no HTTP, too large, redirects too often, or answers 4xx.
            Unavailable: it cannot be reached, takes too long, or fails.
        """
        for _ in range(REDIRECTS + 1):
            self.check(url)
            try:
                async with self._session.get(url, allow_redirects=False) as response:
                    if response.status in _REDIRECTS:
                        url = urljoin(url, response.headers.get("location", ""))
                        continue
                    _check_status(response.status)
                    return await _saved(response, into, limit_bytes)
            except (aiohttp.ClientError, TimeoutError, OSError) as exc:
                raise _ours(exc) from exc
        raise Rejected(f"the address redirects more than {REDIRECTS} times")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; the status of the answer, which is not read. Redirects are not followed.

        Raises:
            Rejected: the address is private or no HTTP.
            Unavailable: it cannot be reached, or takes too long.
        """
        self.check(url)
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _ours(exc) from exc


def is_public(address: str) -> bool:
    """Whether an IP address is public; IPv6 that stands for an IPv4 is judged by that."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if inner:
            return is_public(str(inner))
        if found in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _is_plainly_private(host: str) -> bool:
    """Whether a host is an address that is not public; of a name its resolver will tell."""
    try:
        return not is_public(host)
    except ValueError:
        # What C libraries take for an address too: 2130706433, 0x7f.1, 127.1.
        return host.replace(".", "").isdigit() or host.lower().startswith("0x")


def _check_status(status: int) -> None:
    if status >= 500 or status == 429:
        raise Unavailable(f"the address answers {status}")
    if status >= 400:
        raise Rejected(f"the address answers {status}")


async def _saved(response: aiohttp.ClientResponse, into: Path, limit_bytes: int) -> int:
    if (response.content_length or 0) > limit_bytes:  # or it would be fetched again and again
        raise Rejected(f"what is at the address is above {limit_bytes} bytes")
    size = 0
    with await asyncio.to_thread(into.open, "wb") as file:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit_bytes:
                raise Rejected(f"what is at the address is above {limit_bytes} bytes")
            file.write(chunk)
    return size


def _ours(error: BaseException) -> Rejected | Unavailable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _Private):
            return Rejected("the address is in a private network")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, aiohttp.InvalidURL):
        return Rejected("the address is not one of HTTP")
    if isinstance(error, TimeoutError):
        return Unavailable("the address takes too long")
    return Unavailable(f"the address cannot be reached ({type(error).__name__})")
