"""A flow that does nothing: what it takes is what its worker takes."""

from __future__ import annotations

from prefect import flow


@flow(name="bench-trivial")
async def trivial() -> int:
    """Give one."""
    return 1
