"""The probe, against a real Caddy with a CA of its own, and servers that answer badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.clients.ingress import IngressProbe, Way
from lib.domain.ingress import Access, Proof, Route
from lib.domain.ingress_proof import Ask, Wanted
from lib.errors import Rejected
from tests.support import free_port, until
from tests.traefik import CADDY_OPTIONS, caddy

CADDYFILE = (
    CADDY_OPTIONS
    + """\
https://good.test {{
  bind 127.0.0.1
  tls {{
    issuer internal {{
      lifetime 40d
    }}
  }}
  header Strict-Transport-Security max-age=1
  respond "here for {{remote_host}}"
}}
http://good.test {{
  bind 127.0.0.1
  redir https://good.test{{uri}} permanent
}}
"""
)


@dataclass(frozen=True)
class Server:
    http: int
    https: int
    ca: str

    def probe(self, source: str | None = None, ca: str | None = None) -> IngressProbe:
        way = Way("127.0.0.1", source, self.http, self.https)
        return IngressProbe({"outside": way}, ca or self.ca)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    home = tmp_path_factory.mktemp("caddy")
    http, https = free_port(), free_port()
    file = home / "Caddyfile"
    file.write_text(CADDYFILE.format(http=http, https=https, storage=home))
    root = home / "pki" / "authorities" / "local" / "root.crt"
    with caddy(file, home / "log"):
        await until(lambda: list(home.glob("certificates/*/good.test/good.test.crt")), 60.0)
        yield Server(http, https, str(root))


def ask(host: str = "good.test", wanted: Wanted = "service", says: str | None = "here") -> Ask:
    proof = Proof(says=says)
    return Ask(
        host, "/", "outside", wanted, Route(host, "", "web", Access(who=("internet",)), proof)
    )


async def test_an_answer_and_its_certificate_are_seen(server: Server) -> None:
    async with server.probe() as probe:
        sight = await probe.look(ask())
    assert (sight.error, sight.status) == ("", 200)
    assert sight.text == "here for 127.0.0.1"
    assert sight.headers["strict-transport-security"] == "max-age=1"
    assert sight.certificate_ends is not None
    left = sight.certificate_ends - datetime.now(UTC)
    assert timedelta(days=39) < left < timedelta(days=41)


async def test_it_asks_as_the_address_that_it_is_told(server: Server) -> None:
    async with server.probe("127.0.0.3") as probe:
        assert (await probe.look(ask())).text == "here for 127.0.0.3"


async def test_plain_http_has_no_certificate_and_is_not_followed(server: Server) -> None:
    async with server.probe() as probe:
        sight = await probe.look(ask(wanted="redirect"))
    assert (sight.status, sight.certificate_ends) == (301, None)
    assert sight.headers["location"] == "https://good.test/"


async def test_who_is_not_trusted_is_no_answer(server: Server, tmp_path: Path) -> None:
    way = Way("127.0.0.1", None, server.http, server.https)
    async with IngressProbe({"outside": way}) as probe:
        assert "the certificate is refused: " in (await probe.look(ask())).error
    async with server.probe() as probe:
        assert (
            await probe.look(ask("other.test"))
        ).error == "TLS fails: tlsv1 alert internal error"
    (tmp_path / "no.crt").write_text("no certificate")
    for path in ("no.crt", "absent"):
        with pytest.raises(Rejected, match="no certificate of a CA"):
            server.probe(ca=str(tmp_path / path))


Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answering) -> AsyncIterator[int]:
    """A server of plain HTTP that answers as it is told; the port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except ConnectionError:  # the probe has seen enough
            pass
        finally:
            writer.close()

    serving = await asyncio.start_server(one, "127.0.0.1", 0)
    async with serving:
        yield serving.sockets[0].getsockname()[1]


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the probe hangs up


async def _hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 301 Moved\r\nlocation: https://a.test/\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [(_silence, "no answer within 0.5 s", 0), (_hanging_up, "broken off", 0), (_endless, "", 301)],
)
async def test_a_bad_answer_is_a_sight(answer: Answering, error: str, status: int) -> None:
    async with answering(answer) as port:
        way = Way("127.0.0.1", None, port, port)
        async with IngressProbe({"outside": way}, timeout_s=0.5) as probe:
            sight = await probe.look(ask(wanted="redirect"))
            assert (sight.error, sight.status) == (error, status)


async def test_nobody_there_is_a_sight() -> None:
    way = Way("127.0.0.1", None, free_port(), free_port())
    async with IngressProbe({"outside": way}) as probe:
        assert (await probe.look(ask())).error == "not reached"


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("answer", "error"), [(_plain, "TLS fails: "), (_silence, "no answer within 0.6 s")]
)
async def test_no_tls_is_a_sight(answer: Answering, error: str) -> None:
    async with answering(answer) as port:
        way = Way("127.0.0.1", None, port, port)
        async with IngressProbe({"outside": way}, timeout_s=0.6) as probe:
            assert (await probe.look(ask())).error.startswith(error)
