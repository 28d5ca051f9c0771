"""What every call used, written in groups."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from decimal import Decimal

from lib.errors import Unavailable
from lib.router.keyring import Keyring
from lib.store.failures import StatementFailed
from lib.store.llm.calls import Call, Calls

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.25
AT_ONCE = 1_000
KEPT = 100_000  # with the database away for long the oldest are lost; budgets still count them


class Meter:
    """Calls on their way to the database.

    Args:
        calls: where they go, and can be summed.
        keyring: told what is spent, before and after.
    """

    def __init__(self, calls: Calls, keyring: Keyring) -> None:
        self.calls = calls
        self._keyring = keyring
        self._waiting: deque[Call] = deque()
        self._writing = asyncio.Lock()

    def count(self, call: Call) -> None:
        """Have a call written soon."""
        if len(self._waiting) >= KEPT:
            self._waiting.popleft()
            log.error("calls.lost waiting=%d", KEPT)
        self._waiting.append(call)
        if call.key_id is not None and call.price_usd:
            self._keyring.spent(call.key_id, call.price_usd)

    async def write_always(self) -> None:
        """Write for ever; with the database away they wait."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write()
            except (Unavailable, StatementFailed) as exc:
                log.warning("calls.not_written waiting=%d reason=%s", len(self._waiting), exc)

    async def write(self) -> None:
        """Write what waits now."""
        async with self._writing:
            while self._waiting:
                group = [self._waiting[i] for i in range(min(AT_ONCE, len(self._waiting)))]
                try:
                    await self.calls.write(group)
                except StatementFailed:
                    await self._write_apart(len(group))
                    continue
                for _ in group:
                    self._waiting.popleft()
                self._keyring.written(_usd(group))

    async def _write_apart(self, count: int) -> None:
        """Write the oldest calls one by one; a bad one is lost when any other is taken."""
        refused: list[Call] = []
        told = StatementFailed("")
        for _ in range(count):
            call = self._waiting[0]
            try:
                await self.calls.write([call])
            except StatementFailed as exc:
                told = exc
                refused.append(call)
            else:
                self._keyring.written(_usd([call]))
            self._waiting.popleft()
        if len(refused) == count:  # the fault is not theirs
            self._waiting.extendleft(reversed(refused))
            raise told
        log.error("calls.lost refused=%d reason=%s", len(refused), told)


def _usd(calls: list[Call]) -> dict[int, Decimal]:
    usd: dict[int, Decimal] = {}
    for call in calls:
        if call.key_id is not None and call.price_usd:
            usd[call.key_id] = usd.get(call.key_id, Decimal(0)) + call.price_usd
    return usd
