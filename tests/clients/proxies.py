"""An HTTP and a SOCKS5 proxy and a DNS server, small and real, that count what they pass."""

from __future__ import annotations

import asyncio
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

USER, PASSWORD = "out", "secret"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Proxy:
    """What a proxy did.

    Attributes:
        passed: the addresses that were asked for, as ``host:port``.
        refused: clients without the right password.
    """

    scheme: str
    port: int = 0
    passed: list[str] = field(default_factory=list)
    refused: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, password: str = PASSWORD) -> str:
        return f"{self.scheme}://{USER}:{password}@127.0.0.1:{self.port}"

    async def connect(self, host: str, port: int) -> Streams:
        self.passed.append(f"{host}:{port}")
        # Names end in .test: only a proxy knows where they are.
        return await asyncio.open_connection("127.0.0.1", port)

    async def pump(self, near: Streams, far: Streams) -> None:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while piece := await reader.read(65_536):
                writer.write(piece)
                await writer.drain()
            writer.close()

        try:
            await asyncio.gather(one(near[0], far[1]), one(far[0], near[1]), return_exceptions=True)
        finally:
            far[1].close()


async def _http(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if f"Basic {token}" not in head:
        proxy.refused += 1
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()
        return
    host, _, port = head.split()[1].rpartition(":")
    far = await proxy.connect(host, int(port))
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await proxy.pump((reader, writer), far)


async def _socks(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x02")
    _, length = await reader.readexactly(2)
    user = await reader.readexactly(length)
    password = await reader.readexactly((await reader.readexactly(1))[0])
    if (user.decode(), password.decode()) != (USER, PASSWORD):
        proxy.refused += 1
        writer.write(b"\x01\x01")
        writer.close()
        return
    writer.write(b"\x01\x00")
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = ".".join(map(str, await reader.readexactly(4)))
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    far = await proxy.connect(host, port)
    writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
    await proxy.pump((reader, writer), far)


Serving = Callable[[Proxy, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_KINDS: dict[str, Serving] = {"http": _http, "socks5": _socks}


@asynccontextmanager
async def proxy_of(scheme: str) -> AsyncIterator[Proxy]:
    """A proxy that asks for a password, for as long as the block lasts."""
    proxy = Proxy(scheme)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        proxy._tasks.add(task)
        try:
            await _KINDS[scheme](proxy, reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy._tasks:
            task.cancel()
        await asyncio.gather(*proxy._tasks, return_exceptions=True)
