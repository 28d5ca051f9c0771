"""Loading credential blocks, typed."""

from __future__ import annotations

import asyncio
from typing import TypeVar, overload

from prefect.blocks.core import Block

from blocks._shared import fresh
from lib.errors import Denied

A = TypeVar("A", bound=Block)
B = TypeVar("B", bound=Block)
C = TypeVar("C", bound=Block)


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


@overload
async def load_all(one: tuple[type[A], str], two: tuple[type[B], str], /) -> tuple[A, B]: ...
@overload
async def load_all(
    one: tuple[type[A], str], two: tuple[type[B], str], three: tuple[type[C], str], /
) -> tuple[A, B, C]: ...
async def load_all(*wanted: tuple[type[Block], str]) -> tuple[Block, ...]:
    """Several blocks, all at once."""
    return tuple(await asyncio.gather(*(load(kind, name) for kind, name in wanted)))
