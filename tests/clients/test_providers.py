"""Requests to providers: ways out, and what their refusals mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lib.clients.providers import Providers, read
from lib.clients.ways import DIRECT, Egress, Ways
from lib.domain.llm.exchange import Form
from lib.domain.llm.refusals import NoSuchModel
from lib.domain.llm.table import Provider, Timeouts
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable
from tests.clients.proxies import proxy_of
from tests.sandbox_server import running
from tests.support import free_port

REFUSALS = {
    "400": (400, {"error": {"message": "bad"}}, Rejected),
    "401": (401, {"error": {"message": "who"}}, Denied),
    "402": (402, {"error": {"message": "pay"}}, Denied),
    "404": (404, {"error": "model 'x' not found"}, NoSuchModel),
    "429": (429, {"error": {"message": "slow down"}}, RateLimited),
    "500": (500, {"error": "boom"}, Unavailable),
    "529": (529, {"type": "error", "error": {"type": "overloaded_error"}}, Unavailable),
}


def _app() -> Starlette:
    async def echo(request: Request) -> Response:
        body = (await request.body()).decode()
        return JSONResponse({"headers": dict(request.headers), "body": body})

    async def refused(request: Request) -> Response:
        status, body, _ = REFUSALS[request.path_params["case"]]
        return JSONResponse(body, status, {"retry-after": "7"} if status == 429 else {})

    async def html(request: Request) -> Response:
        return Response("<html>", 502, media_type="text/html")

    async def elsewhere(request: Request) -> Response:
        return RedirectResponse("http://127.0.0.1:1/")

    return Starlette(
        routes=[
            Route("/echo", echo, methods=["POST", "GET"]),
            Route("/refused/{case}", refused, methods=["POST"]),
            Route("/html", html, methods=["POST"]),
            Route("/elsewhere", elsewhere, methods=["POST"]),
        ]
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with running(_app()) as base:
        yield base


@pytest.fixture
async def ways() -> AsyncIterator[Ways]:
    made = Ways()
    yield made
    await made.close()


def provider(url: str, kind: str = "openai", egress: str = DIRECT) -> Provider:
    return Provider(kind=kind, base_url=url, egress=egress, timeouts=Timeouts(connect=2.0))


async def echoed(ways: Ways, asked: Provider, key: str | None = "k-1") -> Any:
    async with Providers(ways).asked(asked, key, "/echo", b"{}") as response:
        return orjson.loads(await read(response))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("openai", "authorization", "Bearer k-1"),
        ("groq", "authorization", "Bearer k-1"),
        ("openrouter", "x-title", "potok"),
        ("anthropic", "x-api-key", "k-1"),
        ("anthropic", "anthropic-version", "2023-06-01"),
    ],
)
async def test_each_kind_is_asked_in_its_own_way(
    url: str, ways: Ways, kind: str, name: str, value: str
) -> None:
    assert (await echoed(ways, provider(url, kind)))["headers"][name] == value


async def test_a_form_goes_with_its_file(url: str, ways: Ways, tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    path.write_bytes(b"OggS" + b"x" * 300_000)
    form = Form((("grains[]", "word"), ("grains[]", "segment")), path, "sound.ogg")
    async with Providers(ways).asked(provider(url, "openrouter"), "k-1", "/echo", form) as response:
        echo = orjson.loads(await read(response))
    assert echo["headers"]["authorization"] == "Bearer k-1"
    assert echo["headers"]["x-title"] == "potok"
    assert echo["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert int(echo["headers"]["content-length"]) == len(echo["body"])
    assert echo["body"].count('name="grains[]"') == 2
    assert "OggS" + "x" * 300_000 in echo["body"]
    path.unlink()
    with pytest.raises(Rejected, match="the recording cannot be read: No such file"):
        async with Providers(ways).asked(provider(url), None, "/echo", form):
            pass


async def test_a_provider_without_a_key_is_sent_none(url: str, ways: Ways) -> None:
    headers = (await echoed(ways, provider(url, "ollama"), None))["headers"]
    assert "authorization" not in headers


@pytest.mark.parametrize("case", list(REFUSALS))
async def test_a_refusal_is_one_of_our_errors(url: str, ways: Ways, case: str) -> None:
    with pytest.raises(PotokError) as refused:
        async with Providers(ways).asked(provider(url), None, f"/refused/{case}", b"{}"):
            pass
    assert type(refused.value) is REFUSALS[case][2]
    if isinstance(refused.value, RateLimited):
        assert refused.value.retry_after_s == 7


async def test_a_page_of_a_proxy_and_a_redirect_are_told(url: str, ways: Ways) -> None:
    with pytest.raises(Unavailable):
        async with Providers(ways).asked(provider(url), None, "/html", b"{}"):
            pass
    with pytest.raises(Denied, match="base_url"):
        async with Providers(ways).asked(provider(url), "k-1", "/elsewhere", b"{}"):
            pass


async def test_a_closed_port_and_an_unknown_name_are_unavailable(ways: Ways) -> None:
    for base in (f"http://127.0.0.1:{free_port()}", "http://nowhere.invalid"):
        with pytest.raises(Unavailable):
            await echoed(ways, provider(base))


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_provider_bound_to_a_proxy_goes_by_it(url: str, ways: Ways, scheme: str) -> None:
    port = url.rpartition(":")[2]
    async with proxy_of(scheme) as proxy:
        await ways.set({"us": Egress(proxy.url())})
        # Only the proxy can resolve this name: ours is not asked.
        await echoed(ways, provider(f"http://models.test:{port}", egress="us"))
        assert proxy.passed == [f"models.test:{port}"]
        await echoed(ways, provider(url))
        assert len(proxy.passed) == 1
        await ways.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_wrong_password_of_a_proxy_is_told(url: str, ways: Ways, scheme: str) -> None:
    async with proxy_of(scheme) as proxy:
        await ways.set({"us": Egress(proxy.url("wrong"))})
        with pytest.raises(Unavailable, match="proxy"):
            await echoed(ways, provider(url, egress="us"))
        assert proxy.refused
        await ways.close()


async def test_a_proxy_that_is_away_is_unavailable(url: str, ways: Ways) -> None:
    await ways.set({"us": Egress(f"socks5://u:hush@127.0.0.1:{free_port()}")})
    with pytest.raises(Unavailable) as refused:
        await echoed(ways, provider(url, egress="us"))
    assert "hush" not in str(refused.value)
    assert "hush" not in repr(Egress("socks5://u:hush@127.0.0.1:1"))


async def test_an_unknown_way_says_what_to_set(url: str, ways: Ways) -> None:
    with pytest.raises(Denied, match="potok init"):
        await echoed(ways, provider(url, egress="mars"))


async def test_a_changed_way_lets_what_is_under_way_end(url: str, ways: Ways) -> None:
    async with proxy_of("http") as first, proxy_of("http") as second:
        await ways.set({"us": Egress(first.url())})
        asked = provider(url, egress="us")
        async with Providers(ways).asked(asked, None, "/echo", b"{}") as response:
            await ways.set({"us": Egress(second.url())})
            assert await read(response)
        await echoed(ways, asked)
        assert (len(first.passed), len(second.passed)) == (1, 1)
        await ways.close()


class _Dns(asyncio.DatagramProtocol):
    """Every name is on this machine."""

    def __init__(self) -> None:
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        is_a = data[-4:-2] == b"\x00\x01" or b"\x00\x00\x01\x00\x01" in data
        question = data[12 : data.index(b"\x00", 12) + 5]
        head = data[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if is_a else b"\x00\x00") + b"\x00" * 4
        answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"
        self.transport.sendto(head + question + (answer if is_a else b""), addr)


async def test_a_provider_bound_to_a_dns_server_asks_it(url: str, ways: Ways) -> None:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        _Dns, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    await ways.set({"us": Egress(dns=(f"127.0.0.1:{port}",))})
    await echoed(ways, provider(f"http://models.test:{url.rpartition(':')[2]}", egress="us"))
    assert server.asked
    transport.close()
    await ways.close()
