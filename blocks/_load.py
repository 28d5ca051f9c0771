"""Loading credential blocks, typed."""

from __future__ import annotations

from typing import TypeVar

from prefect.blocks.core import Block

from blocks._shared import fresh
from lib.errors import Denied

A = TypeVar("A", bound=Block)


BLOCK_FOR_S = 15.0  # a rotated secret is in use after this, as at the gateway's doors


async def load(kind: type[A], name: str) -> A:
    """The block document of a type and name, not older than ``BLOCK_FOR_S``.

    Raises:
        Denied: there is none; the message says which command makes it.
    """
    try:
        # Block.load is typed "value or coroutine"; aload is only ever the latter.
        return await fresh((kind, name), lambda: kind.aload(name), BLOCK_FOR_S)
    except ValueError as exc:
        raise Denied(
            f"no {kind.get_block_type_slug()} block named {name!r}: run `potok init`"
        ) from exc


async def load_if_any(kind: type[A], name: str) -> A | None:
    """The block document of a type and name; None when nobody has configured one."""
    try:
        return await load(kind, name)
    except Denied:
        return None
