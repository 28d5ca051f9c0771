"""Addresses from outside: what is private is not asked, whatever it is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from lib.clients.outside import Outside, is_public
from lib.errors import Rejected, Unavailable
from tests.sandbox_server import running
from tests.support import free_port


async def _sound(request: Request) -> Response:
    return Response(b"x" * 1000)


async def _endless(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)  # or nothing else would have its turn

    return StreamingResponse(pieces())


async def _slow(request: Request) -> Response:
    await request.receive()
    await asyncio.wait_for(request.receive(), 30)
    return Response()


async def _huge(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        await request.receive()
        await asyncio.wait_for(request.receive(), 30)

    return StreamingResponse(pieces(), headers={"content-length": "3000000000"})


async def _away(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"])


async def _round(request: Request) -> Response:
    return RedirectResponse("/round")


async def _status(request: Request) -> Response:
    return Response(status_code=request.path_params["status"])


ROUTES = [
    Route("/sound", _sound, methods=["GET", "POST"]),
    Route("/endless", _endless),
    Route("/huge", _huge),
    Route("/slow", _slow),
    Route("/away", _away),
    Route("/round", _round),
    Route("/{status:int}", _status),
]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[str]:
    async with running(Starlette(routes=ROUTES)) as url:
        yield url


@pytest.fixture
async def friend(server: str) -> AsyncIterator[Outside]:
    """One that may reach the server, which is private."""
    async with Outside(frozenset({urlsplit(server).netloc}), timeout_s=1.0) as outside:
        yield outside


async def test_what_is_allowed_is_saved(friend: Outside, server: str, tmp_path: Path) -> None:
    assert await friend.fetch(f"{server}/sound", tmp_path / "a", 1000) == 1000
    assert (tmp_path / "a").read_bytes() == b"x" * 1000
    assert await friend.fetch(f"{server}/away?to=/sound", tmp_path / "a", 1000) == 1000
    assert await friend.post(f"{server}/sound", b"{}", {}) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"),
        *("0x7f.1", "127.1", "10.0.0.1", "169.254.169.254", "[64:ff9b::7f00:1]", "100.64.0.1"),
    ],
)
async def test_what_is_private_is_refused(server: str, tmp_path: Path, host: str) -> None:
    port = urlsplit(server).port
    async with Outside(timeout_s=2.0) as outside:
        for asking in (
            outside.fetch(f"http://{host}:{port}/sound", tmp_path / "a", 1000),
            outside.post(f"http://{host}:{port}/sound", b"", {}),
        ):
            with pytest.raises(Rejected, match="private network"):
                await asking
    assert not (tmp_path / "a").exists()


async def test_a_redirect_is_looked_at_as_closely(
    friend: Outside, server: str, tmp_path: Path
) -> None:
    for there in (f"http://127.0.0.1:{free_port()}/", f"http://localhost:{free_port()}/"):
        with pytest.raises(Rejected, match="private network"):
            await friend.fetch(f"{server}/away?to={there}", tmp_path / "a", 1000)
    with pytest.raises(Rejected, match="begin with https"):
        await friend.fetch(f"{server}/away?to=file:///etc/passwd", tmp_path / "a", 1000)


async def test_redirects_end(friend: Outside, server: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="redirects more than 3 times"):
        await friend.fetch(f"{server}/round", tmp_path / "a", 1000)


@pytest.mark.parametrize(
    ("path", "error", "told"),
    [
        ("endless", Rejected, "above 100000 bytes"),
        ("huge", Rejected, "above 100000 bytes"),
        ("slow", Unavailable, "too long"),
        ("404", Rejected, "answers 404"),
        ("429", Unavailable, "answers 429"),
        ("500", Unavailable, "answers 500"),
    ],
)
async def test_what_goes_wrong(
    friend: Outside, server: str, tmp_path: Path, path: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        await friend.fetch(f"{server}/{path}", tmp_path / "a", 100_000)


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "file:///etc/passwd", "ftp://a.ru/", "http://", "http://[", "//a.ru/"),
        *("http://a.ru:99999/", "http://user:password@a.ru/", "javascript:alert(1)"),
    ],
)
async def test_what_is_no_address(url: str, tmp_path: Path) -> None:
    async with Outside() as outside:
        with pytest.raises(Rejected):
            outside.check(url)
        with pytest.raises(Rejected):
            await outside.fetch(url, tmp_path / "a", 1)


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    port = free_port()
    async with Outside(frozenset({f"127.0.0.1:{port}"}), timeout_s=1.0) as outside:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await outside.post(f"http://127.0.0.1:{port}/", b"", {})


@given(st.ip_addresses())
def test_an_address_is_public_or_not(address: object) -> None:
    assert isinstance(is_public(str(address)), bool)
