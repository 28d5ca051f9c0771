"""Troubles other than a kill: a full disk, a silent portal, jumping clocks, two of each part."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr

from deployments.settings import Settings
from deployments.stack import postgres, programs
from deployments.stack.processes import Supervisor
from tests.faults.crowd import Count, Crowd
from tests.faults.ledger import Ledger, Round
from tests.faults.test_kills import nothing_runs, over_at
from tests.stack_fixture import LiveStack, eventually
from tests.stack_running import running, settings_at
from tests.support import free_port

CLOCK = Path(__file__).with_name("clock.c")
JUMPS_S = (3600, -600, 7200, 0)
DISK_MB = 400
LEFT_MB = 3
SILENT_S = 120.0
WITHIN_S = 400.0

pytestmark = pytest.mark.slow


async def done(
    ledger: Ledger, struck: str, crowd: Crowd, strikes: int, over: float, crashed: int = 0
) -> None:
    """Wait for the crowd's messages and write the round down; each must be one lead."""
    await crowd.arrived(WITHIN_S)
    recovered_s = time.monotonic() - over
    await nothing_runs(crowd.stack)
    count = await crowd.counted()
    ledger.rounds.append(Round(struck, strikes, count, crashed, recovered_s))
    print(ledger.table())
    assert count == Count(count.accepted, 0, 0, 0, 0)


async def test_the_portal_is_silent_for_two_minutes(stack: LiveStack, ledger: Ledger) -> None:
    crowd = Crowd(stack)
    await stack.control("bitrix/failures", {"kind": "silent", "times": None, "seconds": 300})
    until = time.monotonic() + SILENT_S
    while time.monotonic() < until:
        await crowd.write(20)
        await over_at(time.monotonic() + 5)
    await stack.control("bitrix/failures", method="DELETE")
    await done(ledger, "the portal silent for 2 minutes", crowd, 1, time.monotonic())


async def test_postgres_is_restarted_under_load(stack: LiveStack, ledger: Ledger) -> None:
    crowd = Crowd(stack)
    writing = asyncio.create_task(crowd.write(1000, at_once=20))
    for number in range(1, 4):
        await crowd.accepted(number * 200)
        stack.send("postgres", signal.SIGINT)  # "fast": sessions end, and it stops
        restarted = time.monotonic()
        await stack.be_well()
    await writing
    await done(ledger, "PostgreSQL restarted under load", crowd, 3, restarted)


async def test_the_disk_of_the_database_is_full(open_dir: Path, ledger: Ledger) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    home = open_dir / "small"
    base = home / "postgres"
    base.mkdir(parents=True)
    home.chmod(0o711)
    with _small_disk(base):
        async with running(settings_at(home)) as stack:
            await stack.be_well()
            await stack.be_honest()
            crowd = Crowd(stack)
            await crowd.write(50)
            ballast = base / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(base).free - LEFT_MB * 2**20))
            writing = asyncio.create_task(crowd.write(2000, at_once=20))
            await _until_refused(crowd)
            await over_at(time.monotonic() + 20)
            ballast.unlink()
            freed = time.monotonic()
            await stack.be_well(WITHIN_S)
            await writing
            await done(ledger, "the database's disk full for 20 s", crowd, 1, freed)


@contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


async def _until_refused(crowd: Crowd) -> None:
    async def refuses() -> bool:
        return crowd.refused > 0

    await eventually(refuses)


async def test_the_clock_jumps(
    open_dir: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc")
    home = open_dir / "jumping"
    home.mkdir()
    home.chmod(0o711)
    library, offset = home / "clock.so", home / "offset"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", library, CLOCK, "-ldl"]
    subprocess.run(command, check=True)
    offset.write_text(f"{0:<16}")
    env = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    bare = postgres._bare_env
    monkeypatch.setattr(postgres, "_bare_env", lambda: bare() | env)
    dice = Random("clock")
    async with running(settings_at(home)) as stack:
        await stack.be_well()
        await stack.be_honest()
        crowd = Crowd(stack)
        writing = asyncio.create_task(crowd.write(1000, at_once=5))
        for jump_s in JUMPS_S:
            wishes = {"kind": "html_502", "times": 4}  # some wait for a retry when the clock jumps
            await stack.control("bitrix/failures", wishes)
            await over_at(time.monotonic() + dice.uniform(1, 3))
            with offset.open("r+") as file:  # in place: it is mapped
                file.write(f"{jump_s:<16}")
        jumped = time.monotonic()
        await writing
        await done(ledger, "the clock jumps by hours, on and back", crowd, len(JUMPS_S), jumped)


async def test_two_of_each_part(stack: LiveStack, open_dir: Path, ledger: Ledger) -> None:
    async with _second(stack, open_dir / "second") as (second, supervisor):
        doors = (stack.settings.gateway_url, second.gateway_url)
        crowd = Crowd(stack, doors)
        writing = asyncio.create_task(crowd.write(2000, at_once=10))
        for number, strike in enumerate(
            (
                lambda: stack.send("worker", signal.SIGKILL),
                lambda: os.kill(supervisor.pid("gateway"), signal.SIGKILL),
                lambda: os.kill(supervisor.pid("worker"), signal.SIGKILL),
                lambda: stack.send("gateway", signal.SIGKILL),
            ),
            1,
        ):
            await crowd.accepted(number * 300)
            strike()
        struck = time.monotonic()
        await writing
        await done(ledger, "two gateways, dispatchers and workers, each killed", crowd, 4, struck)


@asynccontextmanager
async def _second(stack: LiveStack, home: Path) -> AsyncIterator[tuple[Settings, Supervisor]]:
    """Another gateway and another worker over the same PostgreSQL and Prefect."""
    home.mkdir()
    theirs = stack.settings
    settings = theirs.model_copy(
        update={
            "home": home,
            "port": free_port(),
            "given_database_url": SecretStr(theirs.database_url),
            "given_prefect_api_url": theirs.prefect_api_url,
        }
    )
    supervisor = Supervisor(home)
    try:
        for program in (programs.gateway, programs.worker):
            await supervisor.start(program(settings))
        yield settings, supervisor
    finally:
        await supervisor.stop()
