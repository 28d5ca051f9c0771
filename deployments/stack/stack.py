"""The embedded stack: everything up in the right order, watched, and down again.

async with Stack(settings, progress) as stack:
    ...
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, Self

from deployments import manifest
from deployments.settings import Settings
from deployments.stack import databases, fingerprint, pidfiles, ports, programs, schema
from deployments.stack.postgres import EmbeddedPostgres
from deployments.stack.processes import Supervisor
from deployments.stack.program import Program, http_ready
from deployments.stack.signals import Signals
from lib.errors import PotokError, Rejected, Unavailable


class Progress(Protocol):
    """Where the steps of a start or a stop are shown."""

    def began(self, step: str) -> None:
        """A step began."""

    def done(self, step: str, took_s: float, note: str = "") -> None:
        """A step ended well."""


class Quiet:
    """Shows nothing."""

    def began(self, step: str) -> None:
        """Show nothing."""

    def done(self, step: str, took_s: float, note: str = "") -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Step:
    """A part of the start: it begins when the steps it comes after are done.

    Attributes:
        run: does it; gives a note for people, or "" when there is nothing to tell.
    """

    name: str
    after: tuple[str, ...]
    run: Callable[[], Awaitable[str]]


class Stack:
    """The programs of one POTOK_HOME.

    Ctrl-C, SIGTERM and SIGHUP cancel the task that entered: the stack is stopped on the way out,
    whatever the reason to leave, and further signals do not interrupt that.

    Args:
        settings: where and with what.
        progress: told of every step.

    Attributes:
        took_s: seconds each step took, by name; ``total`` from entry to ready.
    """

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        self.settings = settings
        self.progress: Progress = progress or Quiet()
        self.took_s: dict[str, float] = {}
        self.supervisor = Supervisor(settings.home)
        self._signals = Signals()
        self._lock = pidfiles.HomeLock(pidfiles.run_dir(settings.home))
        self._postgres = EmbeddedPostgres(settings.home, settings.pg_port)

    async def __aenter__(self) -> Self:
        """Bring everything up.

        Raises:
            PotokError: something is in the way; the message says what, and what to do.
        """
        began = time.monotonic()
        if not self._lock.take():
            raise Rejected(f"already running (pid {self._lock.owner()}): `potok down` stops it")
        self._signals.listen()
        try:
            await self._clear_previous()
            await self._prepare()
            await self._bring_up()
        except BaseException as exc:
            await self._bring_down()
            reason = first_error(exc)
            if reason is None:
                raise
            raise reason from None
        self.took_s["total"] = time.monotonic() - began
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything that was started."""
        await self._bring_down()

    def steps(self) -> list[Step]:
        """What is done, and after what."""
        settings = self.settings
        steps = [
            Step("postgres", (), self._start_postgres),
            Step("schema", ("postgres",), self._migrate),
            Step("prefect", ("postgres",), self._start_prefect),
            Step("gateway", ("schema",), lambda: self._start(programs.gateway)),
            Step("llm", ("schema",), lambda: self._start(programs.llm)),
            Step("provision", ("prefect", "schema"), self._provision),
            Step("worker", ("postgres",), lambda: self._start(programs.worker)),
        ]
        if settings.speech_model:
            steps.append(Step("speech", ("schema",), lambda: self._start(programs.speech)))
        if settings.mcp:
            steps.append(Step("mcp", ("schema",), lambda: self._start(programs.mcp)))
        if settings.is_sandbox:
            steps.append(Step("sandbox", (), lambda: self._start(programs.sandbox)))
        return steps

    async def _clear_previous(self) -> None:
        if not pidfiles.read_all(self.supervisor.run_dir):
            return
        began = time.monotonic()
        self.progress.began("cleared")
        left = await asyncio.to_thread(pidfiles.stop_orphans, self.supervisor.run_dir)
        words = f"a killed stack had left {', '.join(left) or 'nothing running'}"
        self.progress.done("cleared", time.monotonic() - began, words)

    async def _prepare(self) -> None:
        manifest.entries()  # provisioning would find it wrong after half a minute
        wanted = {"POTOK_PORT": self.settings.port, "POTOK_LLM_PORT": self.settings.llm_port}
        if self.settings.speech_model:
            wanted["POTOK_SPEECH_PORT"] = self.settings.speech_port
        if self.settings.mcp:
            wanted["POTOK_MCP_PORT"] = self.settings.mcp_port
        if self.settings.is_sandbox:
            wanted["POTOK_SANDBOX_PORT"] = self.settings.sandbox_port
        if self.settings.uses_embedded_prefect:
            wanted["POTOK_PREFECT_PORT"] = self.settings.prefect_port
        if self.settings.uses_embedded_postgres:
            wanted["POTOK_PG_PORT"] = self.settings.pg_port
            await asyncio.to_thread(self._postgres.prepare)
        ports.check_free(wanted)
        own = pidfiles.this_process(pidfiles.STACK, self.supervisor.mark)
        pidfiles.write(self.supervisor.run_dir, own)

    async def _bring_up(self) -> None:
        steps = self.steps()
        done = {step.name: asyncio.Event() for step in steps}

        async def one(step: Step) -> None:
            for name in step.after:
                await done[name].wait()
            self.progress.began(step.name)
            began = time.monotonic()
            note = await step.run()
            self.took_s[step.name] = time.monotonic() - began
            self.progress.done(step.name, self.took_s[step.name], note)
            done[step.name].set()

        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(one(step))
        pidfiles.write(
            self.supervisor.run_dir,
            pidfiles.this_process(pidfiles.STACK, self.supervisor.mark, ready_at=time.time()),
        )

    async def _bring_down(self) -> None:
        self._signals.ignore()
        try:
            began = time.monotonic()
            if self.supervisor.names:
                self.progress.began("stopping")
            await self.supervisor.stop()
            pidfiles.remove(self.supervisor.run_dir, pidfiles.STACK)
            self.progress.done("stopped", time.monotonic() - began)
        finally:
            self._lock.release()
            self._signals.restore()

    async def _start(self, program: Callable[[Settings], Program]) -> str:
        await self.supervisor.start(program(self.settings))
        return ""

    async def _start_postgres(self) -> str:
        dsn = self.settings.database_url
        if not self.settings.uses_embedded_postgres:
            names = ("prefect",) if self.settings.uses_embedded_prefect else ()
            await asyncio.to_thread(databases.ensure_databases, dsn, names)
            return "given by DATABASE_URL"
        await self.supervisor.start(self._postgres.program())
        await asyncio.to_thread(databases.ensure_databases, self._postgres.dsn("postgres"))
        return ""

    async def _start_prefect(self) -> str:
        if self.settings.uses_embedded_prefect:
            return await self._start(programs.prefect_server)
        if await http_ready(f"{self.settings.prefect_api_url}/health")():
            return "given by PREFECT_API_URL"
        url = self.settings.prefect_api_url
        raise Unavailable(f"Prefect does not answer at {url}: start it, or unset PREFECT_API_URL")

    async def _migrate(self) -> str:
        if await asyncio.to_thread(schema.is_current, self.settings):
            return "unchanged"
        await self.supervisor.run(programs.schema(self.settings))
        await asyncio.to_thread(schema.mark_current, self.settings)
        return ""

    async def _provision(self) -> str:
        is_known = await asyncio.to_thread(fingerprint.is_provisioned, self.settings)
        if is_known and not await manifest.missing(self.settings):
            return "unchanged"
        await self.supervisor.run(programs.provision(self.settings))
        await asyncio.to_thread(fingerprint.mark_provisioned, self.settings)
        return ""


def first_error(exc: BaseException) -> PotokError | None:
    """The first error of ours in an exception or a group; ``None``: there is none."""
    if isinstance(exc, PotokError):
        return exc
    if isinstance(exc, BaseExceptionGroup):
        return next((found for one in exc.exceptions if (found := first_error(one))), None)
    return None
