"""How an ASGI application of ours is served: until a signal, with what runs beside it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Sequence

import uvicorn
import uvloop
from starlette.types import ASGIApp

from deployments.settings import Settings

Beside = Callable[[], Coroutine[None, None, None]]  # runs for ever beside the doors


async def serve_app(app: ASGIApp, host: str, port: int, beside: Sequence[Beside]) -> None:
    """Answer until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    gc.collect()
    gc.freeze()  # a full collection would stop the doors for as long as all imports are large
    tasks = [asyncio.create_task(each()) for each in beside]
    try:
        await uvicorn.Server(config).serve()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(serve: Callable[[Settings], Coroutine[None, None, None]]) -> None:
    """The whole life of a process that serves."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every request otherwise
    uvloop.run(serve(Settings()))
