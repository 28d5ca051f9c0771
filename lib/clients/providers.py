"""A request to a provider of models, over raw HTTP: what comes back is read elsewhere.

The vendors' SDKs are the judges of this in the tests. Here they would be the budget: a call takes
an SDK 2–5 ms of CPU, aiohttp 0.1–0.3 ms.

Source: shared facts of each vendor's API, read 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import orjson
from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from lib.clients.ways import Ways
from lib.domain.llm.exchange import Form
from lib.domain.llm.refusals import refusal_from, said_in, status_in
from lib.domain.llm.table import Kind, Provider
from lib.errors import Denied, PotokError, Rejected, Unavailable

ANSWER_LIMIT_BYTES = 64_000_000  # 2,048 vectors of 3,072 numbers, as text
ERROR_LIMIT_BYTES = 65_536
_TAG = re.compile(rb"<[^>]*>")  # Cloudflare refuses in HTML, before Groq is asked
OF_ENVIRONMENT = ("openrouter", "groq", "anthropic")  # whose keys have a variable of their own
ANTHROPIC_VERSION = "2023-06-01"
OF_OURS: Mapping[Kind, Mapping[str, str]] = {
    "openrouter": {"X-Title": "potok"},
    "anthropic": {"anthropic-version": ANTHROPIC_VERSION},
}


class Providers:
    """Asks providers. Made inside a running event loop, whose connections it keeps.

    Args:
        ways: the connections.
        quotes: whether an error tells what a provider said, which may be a piece of the question.
    """

    def __init__(self, ways: Ways, *, quotes: bool = True) -> None:
        self.ways = ways
        self._quotes = quotes

    @asynccontextmanager
    async def asked(
        self,
        provider: Provider,
        key: str | None,
        path: str,
        payload: bytes | Form | None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A provider's answer with a good status, its body still to be read.

        Args:
            provider: whom to ask.
            key: its credential.
            path: below its base URL.
            payload: JSON to be posted, or a form with a file; None: a GET.
            headers: of the client, that are to go on as they are.

        Raises:
            PotokError: see `refusal_from`; Unavailable also when it cannot be reached.
            Rejected: also when the form's file cannot be read.
        """
        sent = dict(OF_OURS.get(provider.kind, {}))
        if not isinstance(payload, Form):  # aiohttp names a form's type, with its boundary
            sent["content-type"] = "application/json"
        sent |= headers or {}
        sent |= _authorization(provider.kind, key)
        with translated(), _data(payload) as data:
            async with (
                self.ways.session(provider.egress) as session,
                session.request(
                    "GET" if payload is None else "POST",
                    provider.base_url.rstrip("/") + path,
                    data=data,
                    headers=sent,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_connect=provider.timeouts.connect),
                ) as response,
            ):
                if response.status >= 300:
                    raise await _refusal(response, key, quotes=self._quotes)
                yield response

    async def fetch(self, provider: Provider, key: str | None, path: str) -> Any:
        """The JSON that a provider answers to a GET.

        Raises:
            PotokError: as ``asked``; Unavailable when it is no JSON.
        """
        async with self.asked(provider, key, path, None) as response:
            return json_from(await read(response))


def key_for(provider: Provider, credential: Callable[[str], str | None]) -> str | None:
    """A provider's key; None when it asks for none.

    Args:
        provider: whose.
        credential: a key by the name of its block; None: nobody has configured it.

    Raises:
        Denied: there is none.
    """
    if provider.credential is None:
        return None
    if (key := credential(provider.credential)) is None:
        name = provider.credential
        block = f"a block `potok model provider` named {name} on the Prefect server"
        if name in OF_ENVIRONMENT:
            block = f"{name.upper()}_API_KEY in .env, then `potok init`, or by {block}"
        raise Denied(f"there is no key for `credential: {name}`: set it by {block}")
    return key


async def read(response: aiohttp.ClientResponse, limit_bytes: int = ANSWER_LIMIT_BYTES) -> bytes:
    """A whole body.

    Raises:
        Unavailable: it is too long, or breaks off.
    """
    raw = bytearray()
    with translated():
        async for piece in response.content.iter_any():
            raw += piece
            if len(raw) > limit_bytes:
                raise Unavailable(f"the answer is above {limit_bytes} bytes")
    return bytes(raw)


def json_from(raw: bytes) -> Any:
    """A body as JSON; raises Unavailable when it is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Unavailable("the answer cannot be read: it is no JSON") from exc


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors in place of aiohttp's."""
    try:
        yield
    except PotokError:
        raise
    except (ProxyTimeoutError, TimeoutError) as exc:
        raise Unavailable("it does not answer in time") from exc
    except ProxyConnectionError as exc:
        raise Unavailable("the proxy cannot be reached") from exc
    except aiohttp.InvalidURL as exc:
        raise Rejected("the address is not one of HTTP") from exc
    except aiohttp.ClientConnectorDNSError as exc:
        raise Unavailable("its name is not known to the DNS server") from exc
    except aiohttp.ClientConnectorError as exc:
        raise Unavailable(f"it cannot be reached ({type(exc.os_error).__name__})") from exc
    except ProxyError as exc:
        raise Unavailable("the proxy does not let it through") from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise Unavailable(f"it hung up ({type(exc).__name__})") from exc


@contextmanager
def _data(payload: bytes | Form | None) -> Iterator[bytes | aiohttp.FormData | None]:
    """What aiohttp sends; a form's file is open meanwhile, and read piece by piece."""
    if not isinstance(payload, Form):
        yield payload
        return
    try:
        file = payload.file.open("rb")
    except OSError as exc:
        raise Rejected(f"the recording cannot be read: {exc.strerror}") from exc
    with file:
        data = aiohttp.FormData(quote_fields=False)  # else `[]` in a name is sent as %5B%5D
        for name, value in payload.fields:
            data.add_field(name, value)
        data.add_field("file", file, filename=payload.filename)
        yield data


def _authorization(kind: Kind, key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if kind == "anthropic":
        return {"x-api-key": key}
    return {"authorization": f"Bearer {key}"}


async def _refusal(
    response: aiohttp.ClientResponse, key: str | None, *, quotes: bool
) -> PotokError:
    raw = await response.content.read(ERROR_LIMIT_BYTES)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    status = response.status
    if 300 <= status < 400:
        return Denied(f"it redirects with {status}: check base_url")
    error = body.get("error") if isinstance(body, dict) else None
    if status in (200, 500):
        status = status_in(error, status)
    if not quotes:
        return refusal_from(status, "", _seconds(response.headers))
    said = said_in(body) or " ".join(_TAG.sub(b" ", raw).decode("utf-8", "replace").split())
    if key:
        said = said.replace(key, "…")  # some repeat a key that they refuse; a client reads this
    return refusal_from(status, said, _seconds(response.headers))


def _seconds(headers: Mapping[str, str]) -> float | None:
    """What a provider says about coming back; None: nothing, or a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if 0 <= seconds < 86_400:
            return seconds
    return None
