"""A pool of spare processes, forked ahead from a template that has imported everything."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from deployments.warm.order import Order
from lib.errors import Unavailable

log = logging.getLogger(__name__)

READY_TIMEOUT_S = 60.0  # the first spare waits for the template's imports
PATIENCE_S = 0.5  # a run whose messages are settled frees its process soon; a new one costs more
FREE_TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0  # from an order until its flow's timeout is told: imports, the database
HANG_GRACE_S = 15.0  # beyond the flow's own timeout, which needs an event loop that turns
STATUS_WITHIN_S = 1.0
UNKNOWN_STATUS = 255


class SpareProcess:
    """A process that runs one flow run at a time.

    It is watched by a descriptor of its own. `multiprocessing` would see it end by the template,
    and take the template's end for that of all.

    Attributes:
        pid: its process id.
        ended: its exit status once it has ended, negative for a signal.
    """

    def __init__(self, process: ForkServerProcess, connection: Connection) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._watched = os.pidfd_open(self.pid)
        self._process = process
        self._connection = connection
        self._news = asyncio.Event()
        self._hangs: asyncio.TimerHandle | None = None
        self._was_killed = False
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(connection.fileno(), self._hear)
        self._loop.add_reader(self._watched, self._end)

    async def ready(self) -> bool:
        """Wait until it can take an order; False when it has ended instead."""
        await self._news.wait()
        return not self.ended.done()

    async def give(self, order: Order) -> None:
        """Hand over a flow run; ``ready`` tells when it is done.

        Raises:
            OSError: the process has just died.
        """
        self._news.clear()
        self._expect_news_in(START_TIMEOUT_S)
        await asyncio.to_thread(self._connection.send, order)  # which may block: it may be frozen

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if not self.ended.done():
            with suppress(ProcessLookupError):  # its end is not seen yet
                signal.pidfd_send_signal(self._watched, number)

    def close(self) -> None:
        """Cut its life line: it ends when it is idle."""
        self._loop.remove_reader(self._connection.fileno())
        self._connection.close()

    def _hear(self) -> None:
        """It is ready, or has begun a run that may take so many seconds."""
        try:
            timeout_s: float | None = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._loop.remove_reader(self._connection.fileno())
            return
        self._expect_news_in(inf if timeout_s is None else timeout_s + HANG_GRACE_S)
        if timeout_s is None:
            self._news.set()

    def _expect_news_in(self, within_s: float) -> None:
        """Kill the process unless it is heard of again within so many seconds."""
        if self._hangs:
            self._hangs.cancel()
        self._hangs = None if within_s == inf else self._loop.call_later(within_s, self._kill)

    def _kill(self) -> None:
        log.error("spare.hangs pid=%s", self.pid)
        self._was_killed = True
        self.signal(signal.SIGKILL)

    def _end(self) -> None:
        self._loop.remove_reader(self._watched)
        os.close(self._watched)
        self._expect_news_in(inf)
        self._process.join(STATUS_WITHIN_S)  # which the template passes on
        status = self._process.exitcode
        if status in (None, UNKNOWN_STATUS):  # the template was too busy to tell, or died
            status = -signal.SIGKILL if self._was_killed else UNKNOWN_STATUS
        self.ended.set_result(status)
        self._news.set()


@dataclass(frozen=True, slots=True)
class SpareLimits:
    """How many processes stand ready, how many there may be, how many runs each may run."""

    ready: int = 2
    most: int = 8
    runs: int = 50


class SparePool:
    """Keeps processes ready; one that ended its run well takes another, any other is replaced.

    At rest ``ready`` processes wait; another is made when a run finds none for a while. The one
    used last is used first: its caches are warm.

    Args:
        limits: how many, and for how long.
        preload: modules that the template imports besides its own.
    """

    def __init__(self, limits: SpareLimits, preload: tuple[str, ...] = ()) -> None:
        os.environ["POTOK_PRELOAD"] = ",".join(preload)
        self._limits = limits
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["deployments.warm.spare"])
        forkserver.ensure_running()  # its imports take seconds: they begin now
        self._idle: list[SpareProcess] = []
        self._busy: set[SpareProcess] = set()
        self._waiting = 0
        self._changed = asyncio.Condition()
        self.is_ready = asyncio.Event()

    async def keep_full(self) -> None:
        """Make processes until cancelled; one that fails to get ready is made again."""
        while True:
            async with self._changed:
                await self._changed.wait_for(self._is_short)
            try:
                await self._put(await self._make())
                self.is_ready.set()
            except (OSError, TimeoutError) as exc:
                log.error("spare.failed kind=%s reason=%s", type(exc).__name__, exc)
                await asyncio.sleep(1)

    async def acquire(self, within_s: float | None = FREE_TIMEOUT_S) -> SpareProcess:
        """A process that is ready; it must be given a run, or released.

        Args:
            within_s: how long to wait; None: as long as it takes.

        Raises:
            Unavailable: none was free in time.
        """
        async with self._changed:
            if not await self._is_one_free(PATIENCE_S):
                self._waiting += 1
                self._changed.notify_all()
                try:
                    if not await self._is_one_free(within_s):
                        raise Unavailable("every process is busy")
                finally:
                    self._waiting -= 1
            spare = self._idle.pop()
            self._busy.add(spare)
            return spare

    async def _is_one_free(self, within_s: float | None) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait_for(lambda: self._idle)
        except TimeoutError:
            return False
        return True

    async def hand_over(self, order: Order, spare: SpareProcess) -> SpareProcess:
        """Give a run to a process, or to another one when it has just died."""
        while True:
            try:
                await spare.give(order)
            except OSError as exc:  # it died while it waited
                log.error("spare.lost pid=%s reason=%s", spare.pid, exc)
                await self.release(spare, is_ready=False)
                spare = await self.acquire()
            else:
                return spare

    async def release(self, spare: SpareProcess, *, is_ready: bool) -> None:
        """A process is done with its run: it waits again, or ends if enough do, or is gone."""
        self._busy.discard(spare)
        if is_ready and len(self._idle) < self._limits.ready:
            await self._put(spare)
            return
        if is_ready:
            spare.close()
        await self._look_again()

    def close(self) -> None:
        """Let the waiting processes end."""
        while self._idle:
            self._idle.pop().close()

    def _is_short(self) -> bool:
        self._idle = [spare for spare in self._idle if not spare.ended.done()]
        there = len(self._idle) + len(self._busy)
        is_asked_for = self._waiting > len(self._idle) and there < self._limits.most
        return there < self._limits.ready or is_asked_for

    async def _look_again(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _put(self, spare: SpareProcess) -> None:
        async with self._changed:
            self._idle.append(spare)
            self._changed.notify_all()

    async def _make(self) -> SpareProcess:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=run_spare, args=(theirs, self._limits.runs))
        await asyncio.to_thread(process.start)
        theirs.close()
        spare = SpareProcess(process, ours)
        spare.ended.add_done_callback(lambda _: asyncio.ensure_future(self._look_again()))
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                if not await spare.ready():
                    raise OSError(f"it ended with status {spare.ended.result()}")
        except TimeoutError:
            spare.signal(signal.SIGKILL)
            raise
        return spare


def run_spare(connection: Connection, runs: int) -> None:
    """A process's life; its imports are the template's, so they cost nothing here."""
    from deployments.warm.spare import main

    main(connection, runs)
