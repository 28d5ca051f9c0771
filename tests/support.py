"""Waiting for conditions, and ports that nobody has."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

# A stack of its own wants a port for each.
PORTS = (
    "POTOK_PORT",
    "POTOK_LLM_PORT",
    "POTOK_SPEECH_PORT",
    "POTOK_MCP_PORT",
    "POTOK_SANDBOX_PORT",
    "POTOK_PREFECT_PORT",
    "POTOK_PG_PORT",
)


def free_port() -> int:
    """A TCP port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Return once the condition is true.

    Raises:
        AssertionError: it was not true within the deadline.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not true within {within_s} s"
        await asyncio.sleep(0.02)
