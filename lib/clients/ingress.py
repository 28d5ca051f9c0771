"""Asking a reverse proxy as the world does: at an address, by a host's name, over TLS.

Source: www.python-httpx.org/advanced/extensions (``sni_hostname``, ``network_stream``), read
2026-11-26.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from lib.clients._closing import Closing
from lib.clients._http import USER_AGENT
from lib.domain.ingress_proof import Ask, Side, Sight
from lib.errors import Rejected

TEXT_BYTES = 65_536
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Way:
    """How to come to the proxy.

    Attributes:
        address: its own; no name is resolved.
        source: one of this machine's, as which it is asked; None: as the system likes.
    """

    address: str
    source: str | None = None
    http_port: int = 80
    https_port: int = 443


class IngressProbe(Closing):
    """Looks at a proxy from several sides; every look is a connection of its own.

    Args:
        ways: by side.
        ca_file: a certificate that is trusted besides the system's; None: none.
        timeout_s: of a whole look.

    Raises:
        Rejected: the file has no certificate.
    """

    def __init__(
        self, ways: Mapping[Side, Way], ca_file: str | None = None, timeout_s: float = 10.0
    ) -> None:
        self._ways = ways
        self._timeout_s = timeout_s
        self._turn = asyncio.Semaphore(AT_ONCE)
        trust = ssl.create_default_context()
        if ca_file is not None:
            try:
                trust.load_verify_locations(cadata=Path(ca_file).read_text())
            except (OSError, ssl.SSLError, ValueError) as exc:
                raise Rejected(f"{ca_file}: no certificate of a CA ({type(exc).__name__})") from exc
        self._clients = {
            side: httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(
                    verify=trust,
                    local_address=way.source,
                    limits=httpx.Limits(max_keepalive_connections=0),
                ),
                # A handshake that is cancelled leaves its socket open; one that times out does not.
                timeout=httpx.Timeout(timeout_s, connect=timeout_s / 3),
                headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
            )
            for side, way in ways.items()
        }

    async def aclose(self) -> None:
        """Close what is open."""
        for client in self._clients.values():
            await client.aclose()

    async def look(self, ask: Ask) -> Sight:
        """What an ask is answered; an error of the network is a sight, too."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._look(ask)
            except (TimeoutError, httpx.TimeoutException):
                return Sight(f"no answer within {self._timeout_s:g} s")
            except httpx.HTTPError as exc:
                return Sight(_why(exc))

    async def _look(self, ask: Ask) -> Sight:
        way = self._ways[ask.side]
        scheme, port = ("http", way.http_port) if ask.is_plain else ("https", way.https_port)
        url = httpx.URL(scheme=scheme, host=way.address, port=port, path=ask.path)
        request = self._clients[ask.side].build_request(
            "GET", url, headers={"host": ask.host}, extensions={"sni_hostname": ask.host}
        )
        response = await self._clients[ask.side].send(request, stream=True)
        try:
            ends = None if ask.is_plain else _certificate_ends(response)
            text = await _beginning(response) if ask.reads else ""
        finally:
            await response.aclose()
        return Sight("", response.status_code, dict(response.headers), text, ends)


async def _beginning(response: httpx.Response) -> str:
    read = bytearray()
    async for piece in response.aiter_raw():
        read += piece
        if len(read) >= TEXT_BYTES:
            break
    return read[:TEXT_BYTES].decode("utf-8", "replace")


def _certificate_ends(response: httpx.Response) -> datetime | None:
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    ends = (tls.getpeercert() or {}).get("notAfter") if tls else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None


def _why(error: BaseException) -> str:
    """What went wrong, in a few words: TLS hides under the connection that it failed."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"the certificate is refused: {inner.verify_message}"
        if isinstance(inner, ssl.SSLError):
            return f"TLS fails: {(inner.reason or 'no reason').lower().replace('_', ' ')}"
        inner = inner.__cause__ or inner.__context__
    return "not reached" if isinstance(error, httpx.ConnectError) else "broken off"
