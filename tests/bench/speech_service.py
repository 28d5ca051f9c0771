"""The speech service in a process of its own, and the bare model in another, for the measures."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from deployments.settings import ROOT, Settings
from deployments.stack import programs
from deployments.stack.processes import Supervisor
from lib.speech.weights import ensure_weights
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from tests.bench.house import House
from tests.bench.load import Client, request_from
from tests.bench.usage import MB
from tests.support import free_port

WITHIN_S = 3600.0
BOUNDARY = "potok-bench"


@dataclass(slots=True)
class Service:
    """The speech service.

    Attributes:
        starts_s: until each start had answered its first recording.
    """

    settings: Settings
    supervisor: Supervisor
    secret: str
    starts_s: list[float]

    async def start(self, first: Path) -> None:
        """Start it, and have it listen to a first recording."""
        began = time.monotonic()
        await self.supervisor.start(programs.speech(self.settings))
        await self.heard(first, "ru")
        self.starts_s.append(time.monotonic() - began)

    async def heard(self, path: Path, language: str) -> tuple[float, str]:
        """Seconds from the first byte sent to the last one read, and the text."""
        request = self.request("/v1/audio/transcriptions", path, language)
        began = time.perf_counter()
        text = (await self.ask(request))["text"]
        return time.perf_counter() - began, text

    def request(self, way: str, path: Path, language: str) -> bytes:
        """A form with a recording."""
        part = f"--{BOUNDARY}\r\ncontent-disposition: form-data; name="
        fields = f'{part}"language"\r\n\r\n{language}\r\n'
        head = f'{part}"file"; filename="{path.name}"\r\ncontent-type: audio/wav\r\n\r\n'
        body = (fields + head).encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return request_from("POST", way, body, self._key | {"content-type": kind})

    async def job(self, job_id: str) -> dict[str, Any]:
        """A job as it stands."""
        return await self.ask(request_from("GET", f"/v1/jobs/{job_id}", b"", self._key))

    async def ask(self, request: bytes) -> dict[str, Any]:
        """The answer's JSON, over a connection of its own: an idle one is closed meanwhile."""
        client = Client(self.settings.speech_port, WITHIN_S)
        try:
            status, body = await client.ask(request)
        finally:
            await client.close()
        if status // 100 != 2:
            raise RuntimeError(f"{status} {body[:300].decode(errors='replace')}")
        return dict(orjson.loads(body))

    def cpu_s(self) -> float:
        """CPU time so far."""
        return _cpu_s(self.supervisor.pid("speech"))

    def memory_mb(self) -> float:
        """Resident now."""
        return self._status_mb("VmRSS")

    def peak_mb(self) -> float:
        """The most that was resident since ``forget_peak``."""
        return self._status_mb("VmHWM")

    def forget_peak(self) -> None:
        """Source: proc(5), clear_refs: 5 resets the peak."""
        Path(f"/proc/{self.supervisor.pid('speech')}/clear_refs").write_text("5")

    def _status_mb(self, name: str) -> float:
        lines = Path(f"/proc/{self.supervisor.pid('speech')}/status").read_text().splitlines()
        kib = next(line.split()[1] for line in lines if line.startswith(name))
        return int(kib) * 1024 / MB

    @property
    def _key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}


@dataclass(slots=True)
class Bare:
    """The bare model, as nice and with as many threads."""

    process: Process

    async def heard(self, path: Path, language: str) -> tuple[float, str]:
        """Seconds that the model took, and the text."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = orjson.dumps({"path": str(path), "language": language})
        self.process.stdin.write(asked + b"\n")
        answer = orjson.loads(await self.process.stdout.readline())
        return answer["took_s"], answer["text"]

    def cpu_s(self) -> float:
        """CPU time so far."""
        return _cpu_s(self.process.pid)


@asynccontextmanager
async def service_of(house: House) -> AsyncIterator[Service]:
    """The service beside a stack, on its database; not started yet."""
    ensure_weights("base", house.settings.home)  # they are put together once, not at each start
    given = {"speech_model": "base", "speech_port": free_port()}
    settings = house.settings.model_copy(update=given)
    database = Database(settings.database_url)
    secret = await Keys(database).create(NewKey(f"bench-{time.time_ns()}", ("speech",)))
    await database.close()
    supervisor = Supervisor(settings.home / "speech-bench")
    try:
        yield Service(settings, supervisor, secret, [])
    finally:
        await supervisor.stop()


@asynccontextmanager
async def bare_of(house: House) -> AsyncIterator[Bare]:
    """The bare model, loaded."""
    weights = str(ensure_weights("base", house.settings.home))
    argv = ("nice", "-n", "10", sys.executable, "-m", "tests.bench.speech_bare", weights)
    env = house.settings.child_env() | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=PIPE,
        stdout=PIPE,
        env=env,
        cwd=ROOT,
        limit=2**24,
        start_new_session=True,  # as the service: the kernel shares the cores out by session
    )
    try:
        yield Bare(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
