"""Run an ASGI app on a free port of loopback, over real HTTP, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

START_DEADLINE_S = 10.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Ctrl-C belongs to pytest.
        yield


@asynccontextmanager
async def running(app: Any, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve ``app`` on an address of this machine until the block ends.

    Yields:
        The base URL without a slash at its end: ``http://127.0.0.1:41234``.
    """
    # asyncio switches Nagle off only where the protocol is named; else answers wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((host, 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while not server.started and not serving.done():
                await asyncio.sleep(0.001)
        if serving.done():
            serving.result()
            raise RuntimeError("the app did not start")
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await serving
