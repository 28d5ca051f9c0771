"""Waiting for a run or a job while its progress is told; and for how many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastmcp.server.dependencies import get_context

LOOK_EVERY_S = 0.5
WAIT_S = 300.0  # the longest wait; clients themselves give up sooner or later
WAITS_AT_ONCE = 20

Seen = dict[str, Any]
Progress = tuple[float, float | None, str]


class Following:
    """Looks at something again and again until it is over.

    Args:
        every_s: between looks.
    """

    def __init__(self, every_s: float = LOOK_EVERY_S) -> None:
        self._every_s = every_s
        self._waits = 0

    async def follow(
        self,
        look: Callable[[], Awaitable[tuple[Seen, Progress | None]]],
        within_s: float = WAIT_S,
    ) -> Seen:
        """What was seen last: once it is over, or after so long; at once when too many wait.

        Args:
            look: gives what is seen, and how far it is; None: it is over.
            within_s: how long to wait at most.
        """
        began = time.monotonic()
        seen, progress = await look()
        if self._waits >= WAITS_AT_ONCE:
            return seen | {"note": "too many wait here: ask for it again later"}
        self._waits += 1
        try:
            while progress is not None and time.monotonic() - began < within_s:
                done, of, words = progress
                await get_context().report_progress(done, of, words)
                await asyncio.sleep(self._every_s)
                seen, progress = await look()
        finally:
            self._waits -= 1
        if progress is not None:
            return seen | {"note": f"it goes on after {within_s:.0f} s: ask for it by its id"}
        return seen
