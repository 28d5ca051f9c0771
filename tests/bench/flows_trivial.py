"""Flows that do nothing: what they take is what their worker takes."""

from __future__ import annotations

import asyncio

from prefect import flow


@flow(name="bench-trivial")
async def trivial() -> int:
    """Give one."""
    return 1


@flow(name="bench-asleep")
async def asleep() -> None:
    """Sleep until somebody cancels it."""
    await asyncio.sleep(3600)
