"""From the inbox to flow runs: claims what waits, starts a run for it, and takes back what died.

    received ──claim──► batch ──start──► flow run ──settle──► done
        ▲                 │  no living run                 └─► failed, dead
        └────give back────┘

One message at rest leaves at once as a batch of one. While ``max_open`` runs are busy messages
gather, and the next run takes them all. Any number of dispatchers may run: a claim is one
transaction, and a run is created under the batch's own id, so twice is once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg

from lib.errors import PotokError, Rejected, Unavailable
from lib.gateway import metrics
from lib.store.batches import INBOX_CHANNEL, Batches, OpenBatch
from lib.store.engine import Database

log = logging.getLogger(__name__)

TERMINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Runs(Protocol):
    """What the dispatcher needs of Prefect."""

    async def create_run(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str, tags: list[str]
    ) -> UUID:
        """Create a run; the same key gives the same run."""

    async def run_states(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """State types by run."""

    async def crash_run(self, run_id: UUID, message: str) -> None:
        """Show a run as Crashed."""


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    """How much at once, and how patient.

    Attributes:
        max_open: batches of one deployment that may be in the hands of runs at once.
        max_batch: deliveries in a batch.
        poll_s: the longest pause between two looks at the inbox; wake-ups make it shorter.
        recover_s: the pause between two looks at open batches.
        grace_s: how long a started batch may be without its run's lock before it is given back.
        pending_s: how long a run that a worker has taken may be without the lock: its worker or
            its process died before the batch was started.
    """

    max_open: int = 2
    max_batch: int = 200
    poll_s: float = 1.0
    recover_s: float = 2.0
    grace_s: float = 10.0
    pending_s: float = 60.0


class Dispatcher:
    """Starts runs for what waits in the inbox, and returns what a dead run had claimed."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        deployments: Sequence[str],
        limits: DispatchLimits | None = None,
        tell_dead: Callable[[list[int]], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._batches = Batches(database)
        self._runs = runs
        self._deployments = deployments
        self._limits = limits or DispatchLimits()
        self._tell_dead = tell_dead
        self._wake = asyncio.Event()
        self._unheld_since: dict[UUID, float] = {}
        self._recover_at = 0.0
        self.turned_at = 0.0

    def wake(self) -> None:
        """Something was accepted: look at once."""
        self._wake.set()

    def is_alive(self) -> bool:
        """Whether the loop turned lately."""
        return asyncio.get_running_loop().time() - self.turned_at < 10 * self._limits.poll_s + 10

    async def run(self) -> None:
        """Dispatch until cancelled; no failure of a far side ends it."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                self._wake.clear()
                try:
                    await self.turn()
                    self.turned_at = asyncio.get_running_loop().time()
                except PotokError as exc:
                    log.warning("dispatch.paused reason=%s", exc)
                    self.turned_at = asyncio.get_running_loop().time()
                except Exception:  # a bug in one turn; should it last, /readyz tells
                    log.exception("dispatch.failed")
                await self._pause()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._limits.poll_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        """Wake up when a run has settled its batch, wherever it ran."""
        while True:
            try:
                async with await self._database.session() as connection:
                    await connection.execute(f"listen {INBOX_CHANNEL}")
                    async for _ in connection.notifies():
                        self.wake()
            except (psycopg.Error, Unavailable):
                log.warning("dispatch.listen_away")
                await asyncio.sleep(self._limits.poll_s)

    async def turn(self) -> None:
        """One look: give back what died, start what was claimed, claim what waits.

        Raises:
            PotokError: the database or Prefect is away; the next turn goes on where this one was.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._recover_at:
            self._recover_at = now + self._limits.recover_s
            await self._recover(now)
        for deployment in self._deployments:
            while batch_id := await self._batches.claim(
                deployment, self._limits.max_batch, self._limits.max_open
            ):
                await self._start(deployment, batch_id)

    async def _start(self, deployment: str, batch_id: UUID) -> None:
        size, first = await self._batches.describe(batch_id)
        name = first if size == 1 else f"{first} +{size - 1}"
        try:
            run_id = await self._runs.create_run(
                deployment,
                {"batch_id": str(batch_id)},
                key=f"batch:{batch_id}",
                name=name,
                tags=["inbox"],
            )
        except Rejected as exc:  # not deployed yet: the batches of others must not wait for it
            log.error("batch.refused batch_id=%s reason=%s", batch_id, exc)
            return
        await self._batches.attach(batch_id, run_id)
        metrics.BATCH_SIZE.observe(size)
        log.info("batch.started batch_id=%s size=%d run_id=%s", batch_id, size, run_id)

    async def _recover(self, now: float) -> None:
        """Start the claimed batches that have no run; give back those whose run is gone."""
        batches = await self._batches.open()
        idle = [batch for batch in batches if not batch.held]
        self._unheld_since = {b.id: self._unheld_since.get(b.id, now) for b in idle}
        for batch in idle:
            if batch.flow_run_id is None:
                await self._start(batch.deployment, batch.id)
        ids = [b.flow_run_id for b in idle if b.flow_run_id is not None]
        states = await self._runs.run_states(ids)
        for batch in idle:
            if batch.flow_run_id is not None:
                await self._judge(
                    batch, states.get(batch.flow_run_id), now - self._unheld_since[batch.id]
                )

    async def _judge(self, batch: OpenBatch, state: str | None, unheld_s: float) -> None:
        """Give a batch back if its run will never settle it."""
        run_id = batch.flow_run_id
        assert run_id is not None
        if state is None or state in TERMINAL:
            reason = f"its run ended as {state or 'deleted'}"
        elif batch.started and unheld_s > self._limits.grace_s:
            reason = "its run's process is gone"
            await self._runs.crash_run(run_id, "The process of this run is gone.")
        elif state != "SCHEDULED" and unheld_s > self._limits.pending_s:
            reason = "its run never started"
            await self._runs.crash_run(run_id, "This run was taken and never started its batch.")
        else:
            return
        # What came back too early to be settled is retried with a pause, so jitter is wanted.
        dead = await self._batches.give_back(batch.id, reason, random.random())  # noqa: S311
        metrics.RETURNED.inc()
        log.warning("batch.returned batch_id=%s run_id=%s reason=%s", batch.id, run_id, reason)
        if dead and self._tell_dead:
            await self._tell_dead(dead)
        self.wake()
