"""Work that is given up at a deadline, whatever it hangs in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_given_up: set[asyncio.Task[Any]] = set()  # the event loop alone would not keep them


async def bounded(work: Coroutine[Any, Any, T], within_s: float) -> T:
    """What the work gives, if it does within a time.

    ``asyncio.timeout`` cancels, and then waits for the cancelled work to end. A query to a frozen
    PostgreSQL takes ten more seconds for that: here it takes them behind the caller's back.

    Raises:
        TimeoutError: it did not; it is cancelled, and may end later.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=within_s)
    finally:
        if not task.done():
            _given_up.add(task)
            task.add_done_callback(_forget)
            task.cancel()
    if not task.done():
        raise TimeoutError(f"not done within {within_s:g} s")
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    _given_up.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it any more
