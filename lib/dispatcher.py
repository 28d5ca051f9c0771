"""From the inbox to flow runs: claims what waits, starts a run for it, and takes back what died.

    received ──claim──► batch ──start──► flow run ──settle──► done
        ▲                 │  no living run                 └─► failed, dead
        └────give back────┘

One message at rest leaves at once. While ``max_open`` runs are busy messages gather, and the next
run takes them all. Any number of dispatchers may run: a claim is one transaction, and a run is
created under the batch's own id, so twice is once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol
from uuid import UUID

import psycopg

from lib.clients.prefect_api import POOLLESS
from lib.errors import PotokError, Rejected, Unavailable
from lib.store.batches import Batches, OpenBatch
from lib.store.claims import Claim, Claims
from lib.store.dispatchers import NAME, heartbeat
from lib.store.engine import Database
from lib.store.inbox import CHANNEL

log = logging.getLogger(__name__)

TERMINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Runs(Protocol):
    """What the dispatcher needs of Prefect and of whoever runs the flows."""

    async def check(self, deployment: str) -> None:
        """Raise unless runs of a deployment would be taken.

        Raises:
            Rejected: it is not deployed.
            Unavailable: Prefect is away, or a person has paused it or its pool.
        """

    async def start(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str, tags: list[str]
    ) -> UUID:
        """Create a run and see to it that it is run; the same key gives the same run."""

    async def find(self, key: str) -> UUID | None:
        """The run that was created under a key, if there is one."""

    async def states(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """State types by run, or ``POOLLESS``: it waits in a pool that was deleted."""

    async def crash(self, run_id: UUID, message: str) -> None:
        """Show a run as Crashed, whatever it is shown as now."""


class OnDuty(Protocol):
    """The person who is told what needs one."""

    async def tell_dead(self, delivery_ids: Sequence[int]) -> None:
        """These deliveries were given up."""

    async def tell_refused(self, deployment: str) -> None:
        """Messages wait for a deployment that is not there."""


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    """How much at once, and how patient.

    Attributes:
        max_open: batches of one deployment that may be in the hands of runs at once.
        max_batch: deliveries in a batch.
        gather_s: the shortest pause between two claims for a deployment while runs are busy.
        pauses_s: the same, busy or not, for those that may take their time.
        poll_s: the longest pause between two looks at the inbox; wake-ups make it shorter.
        recover_s: the pause between two looks at open batches.
        grace_s: how long a batch may be held by no living run or dispatcher until it is given back.
        pending_s: the same, for a run that a worker has taken and that never started its batch.
    """

    max_open: int = 2
    max_batch: int = 200
    gather_s: float = 0.25
    poll_s: float = 1.0
    recover_s: float = 2.0
    grace_s: float = 10.0
    pending_s: float = 30.0
    pauses_s: Mapping[str, float] = field(default_factory=dict)


class Dispatcher:
    """Starts runs for what waits in the inbox, and returns what a dead run had claimed."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        deployments: Sequence[str],
        limits: DispatchLimits | None = None,
        on_duty: OnDuty | None = None,
    ) -> None:
        self._database = database
        self._batches = Batches(database)
        self._claims = Claims(database)
        self._runs = runs
        self._deployments = deployments
        self._limits = limits or DispatchLimits()
        self._on_duty = on_duty
        self._wake = asyncio.Event()
        self._starting: dict[UUID, Claim] = {}
        self._waits_for: dict[str, str] = {}
        self._claimed_at: dict[str, float] = {}
        self._unheld_since: dict[UUID, float] = {}
        self._recover_at = 0.0
        self._is_stopping = False
        self.turned_at = 0.0

    def wake(self) -> None:
        """Something was accepted: look at once."""
        self._wake.set()

    def stop(self) -> None:
        """Claim no more; ``run`` returns when the turn that is under way is over."""
        self._is_stopping = True
        self.wake()

    def is_alive(self) -> bool:
        """Whether the loop turned lately."""
        return asyncio.get_running_loop().time() - self.turned_at < 10 * self._limits.poll_s + 10

    async def run(self) -> None:
        """Dispatch until stopped or cancelled; no failure of a far side ends it."""
        listener = asyncio.create_task(self._listen())
        try:
            while not self._is_stopping:
                self._wake.clear()
                try:
                    await self._turn_once()
                except Exception:  # a bug in one turn; should it last, /readyz tells
                    log.exception("dispatch.failed")
                await self._pause()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _turn_once(self) -> None:
        try:
            await self.turn()
        except PotokError as exc:
            log.warning("dispatch.paused reason=%s", exc)
        self.turned_at = asyncio.get_running_loop().time()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._limits.poll_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        """Wake up when a delivery was accepted or a batch closed, wherever that was."""
        while True:
            try:
                async with await self._database.session(NAME) as connection:
                    await connection.execute(f"listen {CHANNEL}")
                    self.wake()  # for what was told while nobody listened
                    while True:
                        if self.is_alive():
                            await heartbeat(connection)
                        async for _ in connection.notifies(timeout=self._limits.poll_s):
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
            while await self._is_taken(deployment) and (claim := await self._claim(deployment)):
                self._starting[claim.batch_id] = claim
                if not await self._start(claim):
                    break

    async def _is_taken(self, deployment: str) -> bool:
        """Whether runs of a deployment would be taken; why not is said once, and to a person."""
        try:
            await self._runs.check(deployment)
        except (Rejected, Unavailable) as exc:
            if self._waits_for.get(deployment) != str(exc):
                log.warning("dispatch.waits deployment=%s reason=%s", deployment, exc)
            self._waits_for[deployment] = str(exc)
            if isinstance(exc, Rejected) and self._on_duty and await self._claims.wait(deployment):
                await self._on_duty.tell_refused(deployment)
            return False
        if self._waits_for.pop(deployment, None):
            log.warning("dispatch.goes_on deployment=%s", deployment)
        return True

    async def _claim(self, deployment: str) -> Claim | None:
        """What waits, unless it should gather."""
        loop = asyncio.get_running_loop()
        pauses_s = self._limits.pauses_s
        pause_s = pauses_s.get(deployment, self._limits.gather_s)
        left_s = self._claimed_at.get(deployment, -inf) + pause_s - loop.time()
        if left_s > 0 and (deployment in pauses_s or await self._batches.are_open(deployment)):
            loop.call_later(left_s, self.wake)
            return None
        claim = await self._claims.claim(deployment, self._limits.max_batch, self._limits.max_open)
        if claim and claim.size < self._limits.max_batch:  # of a full one there may be more
            self._claimed_at[deployment] = loop.time()
        return claim

    async def _start(self, claim: Claim) -> bool:
        """Start a claim's run; false when that must wait."""
        name = claim.first_key + (f" +{claim.size - 1}" if claim.size > 1 else "")
        given = {"key": key_of(claim.batch_id), "name": name}
        asked = {"batch_id": str(claim.batch_id)}
        try:
            run_id = await self._runs.start(claim.deployment, asked, **given, tags=["inbox"])
        except (Rejected, Unavailable) as exc:  # the batches of others must not wait for it
            log.warning("batch.not_started batch_id=%s reason=%s", claim.batch_id, exc)
            return False
        await self._batches.attach(claim.batch_id, run_id)
        del self._starting[claim.batch_id]
        log.info("batch.started batch_id=%s size=%d run_id=%s", claim.batch_id, claim.size, run_id)
        return True

    async def _recover(self, now: float) -> None:
        """Start the claimed batches that have no run; give back those whose run is gone."""
        found = {batch.id: batch for batch in await self._batches.open()}
        self._starting = {i: claim for i, claim in self._starting.items() if i in found}
        idle = [b for b in found.values() if not b.held and b.id not in self._starting]
        waiting: set[str] = set()  # to find each process busy takes 10 s
        for claim in list(self._starting.values()):
            is_tried = claim.deployment not in waiting and await self._is_taken(claim.deployment)
            if not is_tried or not await self._start(claim):
                waiting.add(claim.deployment)
        self._unheld_since = {b.id: self._unheld_since.get(b.id, now) for b in idle}
        ids = [b.flow_run_id for b in idle if b.flow_run_id is not None]
        states = await self._runs.states(ids)
        for batch in idle:
            unheld_s = now - self._unheld_since[batch.id]
            if batch.flow_run_id is not None:
                await self._judge(batch, batch.flow_run_id, states.get(batch.flow_run_id), unheld_s)
            elif unheld_s > self._limits.grace_s:
                await self._release(batch)

    async def _judge(
        self, batch: OpenBatch, run_id: UUID, state: str | None, unheld_s: float
    ) -> None:
        """Give a batch back if its run will never settle it."""
        if state is None or state in TERMINAL:
            reason = f"its run ended as {state or 'deleted'}"
        elif state == POOLLESS:
            reason = "its run's pool is gone"
            await self._runs.crash(run_id, "The pool of this run was deleted.")
        elif batch.started and unheld_s > self._limits.grace_s:
            reason = "its run's process is gone"
            await self._runs.crash(run_id, "The process of this run is gone.")
        elif state != "SCHEDULED" and unheld_s > self._limits.pending_s:
            reason = "its run never started"
            await self._runs.crash(run_id, "This run was taken and never started its batch.")
        else:
            return
        # What came back too early to be settled is retried with a pause, so jitter is wanted.
        dead = await self._batches.give_back(batch.id, reason, random.random())  # noqa: S311
        log.warning("batch.returned batch_id=%s run_id=%s reason=%s", batch.id, run_id, reason)
        if dead and self._on_duty:
            await self._on_duty.tell_dead(dead)
        self.wake()

    async def _release(self, batch: OpenBatch) -> None:
        """Return what a dispatcher claimed that died before it had started a run."""
        run_id = await self._runs.find(key_of(batch.id))
        if run_id is not None:
            await self._runs.crash(run_id, "Whoever started this run died before it was run.")
        await self._batches.release(batch.id)
        log.warning("batch.released batch_id=%s run_id=%s", batch.id, run_id)
        self.wake()


def key_of(batch_id: UUID) -> str:
    """The idempotency key of a batch's run."""
    return f"batch:{batch_id}"
