"""A server with services, a CA that issues by ACME, and room for the Traefik of a test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from deployments.settings import ROOT
from tests.networks import Networks
from tests.sandbox_server import running
from tests.support import free_port, until
from tests.traefik import CADDY_OPTIONS, caddy, traefik

HOSTS = ("web.firma.test", "models.firma.test", "late.firma.test")
CADDYFILE = (
    CADDY_OPTIONS
    + """\
https://127.0.0.1 {{
  bind 127.0.0.1
  tls {{
    issuer internal
  }}
  acme_server {{
    lifetime 40d
  }}
}}
"""
)


@dataclass
class Shop:
    """A service that says its name, and what it was asked; it has a banner to hide."""

    name: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        async def any_path(request: Request) -> Response:
            body = await request.body()
            self.seen.append({"path": request.url.path, "headers": dict(request.headers)})
            words = f"here is {self.name}, {len(body)} bytes"
            return PlainTextResponse(words, headers={"x-powered-by": "shop"})

        async def stream(request: Request) -> Response:
            async def events() -> AsyncIterator[str]:
                yield "data: first\n\n"
                await self.more.wait()
                yield "data: last\n\n"

            return StreamingResponse(events(), media_type="text/event-stream")

        both = ["GET", "POST"]
        return Starlette(
            routes=[Route("/v1/stream", stream), Route("/{path:path}", any_path, methods=both)]
        )


@asynccontextmanager
async def _forwarder(to: str) -> AsyncIterator[str]:
    """A proxy that takes every request to one server, and knows no names: its address."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(to, 80)
        far_writer.write(await reader.readuntil(b"\r\n\r\n"))
        far_writer.write_eof()
        writer.write(await far_reader.read())
        for end in (far_writer, writer):
            end.close()

    serving = await asyncio.start_server(one, "127.0.0.1", 0)
    async with serving:
        yield "http://{}:{}".format(*serving.sockets[0].getsockname())


@dataclass
class House:
    """Everything but Traefik."""

    home: Path
    net: Networks
    shops: dict[str, Shop]
    urls: dict[str, str]
    acme: str

    @property
    def directory(self) -> Path:
        """Traefik's."""
        return self.home / "traefik"

    @property
    def file(self) -> Path:
        """The file of the hosts."""
        return self.home / "ingress.yaml"

    @property
    def ca(self) -> str:
        """The CA's certificate."""
        return str(self.home / "pki" / "authorities" / "local" / "root.crt")

    @contextmanager
    def traefik(self) -> Iterator[subprocess.Popen[bytes]]:
        """Traefik on the server, as what was written for it says."""
        static = self.directory / "traefik.yaml"
        with traefik(static, self.home / "traefik.log", self.net.server) as started:
            yield started

    async def look(self, side: str, *asks: dict[str, Any], old: bool = False) -> list[Any]:
        """What a machine on a side sees: status, headers and text of each ask, or its error."""
        is_outside = side == "internet"
        inside = self.net.internet if is_outside else self.net.inside
        address = self.net.public if is_outside else self.net.vpn
        source = self.net.sources[0 if is_outside else 1]
        whole = [{"address": address, **ask} for ask in asks]
        said = json.dumps({"ca": self.ca, "source": source, "asks": whole, "old": old})
        command = [*inside, sys.executable, "-m", "tests.look", said]
        ran = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
        async with asyncio.timeout(60):
            out, _ = await ran.communicate()
        return list(json.loads(out))


@asynccontextmanager
async def house(home: Path, net: Networks) -> AsyncIterator[House]:
    """Services and CA for as long as the block lasts."""
    shops = {name: Shop(name) for name in ("web", "models")}
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(running(shop.app(), net.home))
            for name, shop in shops.items()
        }
        proxy = await stack.enter_async_context(_forwarder(net.public)) if net.why else ""
        http, https = free_port(), free_port()
        file = home / "Caddyfile"
        file.write_text(CADDYFILE.format(http=http, https=https, storage=home))
        stack.enter_context(caddy(file, home / "caddy.log", net.server, HTTP_PROXY=proxy))
        found = House(home, net, shops, urls, f"https://127.0.0.1:{https}/acme/local/directory")
        await until(lambda: list(home.glob("certificates/*/127.0.0.1/127.0.0.1.crt")), 60.0)
        yield found
