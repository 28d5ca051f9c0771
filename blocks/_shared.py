"""Connections that outlive a flow run: a warm process runs many, and opening them is what costs.

Measured on 2 cores: three PostgreSQL connections 60 ms, the trust store of one HTTPS client
30–140 ms, three block documents 60–100 ms; a whole run of one message takes 250 ms without them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

T = TypeVar("T")

# By event loop: a connection belongs to the loop that opened it. The process' end closes them.
_made: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Any]] = WeakKeyDictionary()


def shared(key: Hashable, make: Callable[[], T]) -> T:
    """What ``make`` gave when this loop first asked for ``key``."""
    of_loop = _made.setdefault(asyncio.get_running_loop(), {})
    if key not in of_loop:
        of_loop[key] = make()
    return cast(T, of_loop[key])


async def fresh(key: Hashable, make: Callable[[], Awaitable[T]], for_s: float) -> T:
    """What ``make`` gave in this loop for ``key``, unless that is older than ``for_s`` seconds."""
    of_loop = _made.setdefault(asyncio.get_running_loop(), {})
    made_at, value = of_loop.get(key, (float("-inf"), None))
    if time.monotonic() - made_at > for_s:
        value = await make()
        of_loop[key] = (time.monotonic(), value)
    return cast(T, value)
