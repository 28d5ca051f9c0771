"""Asking a PostgreSQL that may be frozen: nobody waits long, and not everybody for himself."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from lib.bounded import bounded
from lib.errors import Unavailable

T = TypeVar("T")


class Patience:
    """Work with the database that is given up in time; after that none begins for a while.

    A frozen server keeps its connections: no socket breaks, and its own ``statement_timeout`` is
    frozen with it.

    Args:
        within_s: what one piece of work may take.
        rest_s: how long nobody asks after one that took longer.
    """

    def __init__(self, within_s: float, rest_s: float) -> None:
        self._within_s = within_s
        self._rest_s = rest_s
        self._rests_until = float("-inf")

    async def ask(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work gives.

        Raises:
            Unavailable: it does not end in time, and may have been carried out all the same; or
                another one did not, a moment ago.
        """
        if time.monotonic() < self._rests_until:
            raise Unavailable("the database did not answer a moment ago")
        try:
            return await bounded(work(), self._within_s)
        except TimeoutError:
            self._rests_until = time.monotonic() + self._rest_s
            raise Unavailable("the database does not answer in time") from None
