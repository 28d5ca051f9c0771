"""The supervisor: starts programs, waits until they are ready, restarts them, stops them all."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from deployments.stack import pidfiles
from deployments.stack.program import Program, StartFailed, file_ready, rotate, tail_of

log = logging.getLogger("potok.stack")

READY_FILE = "POTOK_READY_FILE"
LOOK_EVERY_S = 0.1
BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_AFTER_S = 10.0  # a program that lived this long starts again at the first backoff


@dataclass
class _Child:
    program: Program
    process: Process
    entry: pidfiles.Entry
    log: Path
    logged_before_bytes: int
    started: float = field(default_factory=time.monotonic)
    failures: int = 0
    watcher: asyncio.Task[None] | None = None


class Supervisor:
    """Programs in process groups of their own, written down so that a later run can find them.

    Args:
        home: POTOK_HOME; pid files go to ``run/``, the programs' output to ``log/<name>.log``.
    """

    def __init__(self, home: Path) -> None:
        self.run_dir = pidfiles.run_dir(home)
        self.log_dir = home / "log"
        self.mark = secrets.token_hex(16)
        self._children: dict[str, _Child] = {}
        self._order = itertools.count()
        home.mkdir(parents=True, exist_ok=True, mode=0o711)
        for directory in (self.run_dir, self.log_dir):
            directory.mkdir(exist_ok=True, mode=0o700)

    @property
    def names(self) -> list[str]:
        """The programs that were started, in order."""
        return list(self._children)

    def pid(self, name: str) -> int:
        """The pid of a program that was started."""
        return self._children[name].process.pid

    async def start(self, program: Program) -> float:
        """Start a program, wait until it is ready, and keep it alive from then on.

        Returns:
            Seconds until it was ready.

        Raises:
            StartFailed: it ended before it was ready, or its deadline passed; it is stopped.
        """
        child = await self._spawn(program, restarts=0)
        self._children[program.name] = child
        try:
            await self._until_ready(child)
        except BaseException:
            del self._children[program.name]
            await self._end(child)
            raise
        child.watcher = asyncio.create_task(self._watch(child), name=f"watch {program.name}")
        return time.monotonic() - child.started

    async def run(self, program: Program) -> float:
        """Run a program to its end.

        Returns:
            Seconds that it took.

        Raises:
            StartFailed: its exit code is not 0, or its deadline passed; it is stopped.
        """
        child = await self._spawn(program, restarts=0)
        try:
            async with asyncio.timeout(program.ready_within_s):
                code = await child.process.wait()
            pidfiles.kill_group(child.process.pid)
        except TimeoutError:
            raise self._failed(child, f"did not end in {program.ready_within_s:.0f} s") from None
        finally:
            await self._end(child)
        if code != 0:
            raise self._failed(child, f"failed with {_ending(code)}")
        return time.monotonic() - child.started

    async def stop(self) -> None:
        """Stop every program, the last started first, and kill whatever they leave behind."""
        for child in reversed(list(self._children.values())):
            if child.watcher is not None:
                child.watcher.cancel()
                await asyncio.gather(child.watcher, return_exceptions=True)
            await self._end(child)
        self._children.clear()
        left = await asyncio.to_thread(pidfiles.kill_marked, self.mark)
        if left:
            log.warning("stack.stragglers_killed count=%d", left)

    async def _spawn(self, program: Program, restarts: int) -> _Child:
        path = self.log_dir / f"{program.name}.log"
        rotate(path)
        self._ready_file(program).unlink(missing_ok=True)
        with path.open("ab") as output:
            before_bytes = output.tell()
            try:
                process = await asyncio.create_subprocess_exec(
                    *program.argv,
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=STDOUT,
                    env={**program.env, **self._given_env(program)},
                    cwd=program.cwd,
                    start_new_session=True,
                    user=program.user,
                    group=program.user,
                    extra_groups=None if program.user is None else [],
                )
            except OSError as exc:
                reason = f"cannot be started: {exc.strerror or exc}"
                raise StartFailed(program.name, reason, [], path) from exc
        entry = pidfiles.Entry(
            name=program.name,
            pid=process.pid,
            created_at=_created_at(process.pid),
            mark=self.mark,
            order=next(self._order),
            stop_signal=program.stop_signal,
            port=program.port,
            restarts=restarts,
        )
        pidfiles.write(self.run_dir, entry)
        log.info("stack.started program=%s pid=%d", program.name, process.pid)
        return _Child(program, process, entry, path, before_bytes)

    async def _until_ready(self, child: _Child) -> None:
        program = child.program
        ready = program.ready or (
            file_ready(self._ready_file(program)) if program.says_ready else None
        )
        deadline = child.started + program.ready_within_s
        async with _ended(child.process) as ended:
            while ready is not None and not await ready():
                if time.monotonic() > deadline:
                    reason = f"was not ready in {program.ready_within_s:.0f} s"
                    raise self._failed(child, reason)
                await asyncio.wait({ended}, timeout=LOOK_EVERY_S)
                if ended.done():
                    pidfiles.kill_group(child.process.pid)
                    raise self._failed(child, f"stopped with {_ending(ended.result())}")
        child.entry = replace(child.entry, ready_at=time.time())
        pidfiles.write(self.run_dir, child.entry)

    async def _watch(self, child: _Child) -> None:
        """Start a program again whenever it dies, later and later while it keeps failing."""
        name = child.program.name
        while True:
            code = await child.process.wait()
            lived_s = time.monotonic() - child.started
            child.failures = 0 if lived_s > STEADY_AFTER_S else child.failures
            pause_s = BACKOFF_S[min(child.failures, len(BACKOFF_S) - 1)]
            child.failures += 1
            log.error(
                "stack.died program=%s ended=%s lived_s=%.1f again_in_s=%.1f log=%s",
                name, _ending(code), lived_s, pause_s, child.log,
            )  # fmt: skip
            pidfiles.kill_group(child.process.pid)
            await asyncio.sleep(pause_s)
            try:
                fresh = await self._spawn(child.program, restarts=child.entry.restarts + 1)
                child.process, child.entry = fresh.process, fresh.entry
                child.started, child.logged_before_bytes = fresh.started, fresh.logged_before_bytes
                await self._until_ready(child)
            except StartFailed as exc:
                log.error("stack.restart_failed program=%s reason=%s", name, exc)
                if child.process.returncode is None:
                    await self._end(child)
            else:
                log.info("stack.restarted program=%s pid=%d", name, child.process.pid)

    async def _end(self, child: _Child) -> None:
        process, program = child.process, child.program
        if process.returncode is None:
            process.send_signal(program.stop_signal)
            try:
                async with asyncio.timeout(program.grace_s):
                    await process.wait()
            except TimeoutError:
                log.warning("stack.killed program=%s grace_s=%.0f", program.name, program.grace_s)
            pidfiles.kill_group(process.pid)
            await process.wait()
        self._ready_file(program).unlink(missing_ok=True)
        pidfiles.remove(self.run_dir, program.name)
        log.info("stack.stopped program=%s", program.name)

    def _ready_file(self, program: Program) -> Path:
        return self.run_dir / f"{program.name}.ready"

    def _given_env(self, program: Program) -> dict[str, str]:
        return {pidfiles.MARK: self.mark, READY_FILE: str(self._ready_file(program))}

    def _failed(self, child: _Child, reason: str) -> StartFailed:
        tail = tail_of(child.log, child.logged_before_bytes)
        return StartFailed(child.program.name, reason, tail, child.log)


@asynccontextmanager
async def _ended(process: Process) -> AsyncIterator[asyncio.Task[int]]:
    task = asyncio.create_task(process.wait())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _created_at(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"
