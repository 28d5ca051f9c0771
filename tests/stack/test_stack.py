from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg
import pytest

from deployments.settings import ROOT, Settings, read_settings
from deployments.stack import fingerprint, pidfiles, schema
from deployments.stack.program import Program, StartFailed
from deployments.stack.stack import Stack, Step
from lib.errors import Rejected, Unavailable
from tests.support import free_port, until

NOBODY = "postgresql://nobody:hidden@127.0.0.1:{}/potok"
STAY = "import os, signal; open(os.environ['POTOK_READY_FILE'], 'w').close(); signal.pause()"


def settings_at(home: Path, **variables: object) -> Settings:
    ports = {
        f"POTOK_{name}PORT": free_port() for name in ("", "LLM_", "SANDBOX_", "PREFECT_", "PG_")
    }
    return read_settings(POTOK_HOME=home, **{**ports, **variables})


class Told:
    """Keeps what a person would have been shown."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def began(self, step: str) -> None:
        self.steps.append(f"{step} began")

    def done(self, step: str, took_s: float, note: str = "") -> None:
        self.steps.append(f"{step} done")


class Tiny(Stack):
    """A stack of small programs: ``b`` comes after ``a``."""

    codes: Mapping[str, str] = MappingProxyType({"a": STAY, "b": STAY})
    after: Mapping[str, tuple[str, ...]] = MappingProxyType({"a": (), "b": ("a",)})

    def steps(self) -> list[Step]:
        return [Step(name, self.after[name], self._starting(name)) for name in self.codes]

    def _starting(self, name: str):  # type: ignore[no-untyped-def]
        async def start() -> str:
            argv = [sys.executable, "-c", self.codes[name]]
            await self.supervisor.start(Program(name, argv, {}, Path("/"), says_ready=True))
            return ""

        return start


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path, DATABASE_URL=NOBODY.format(free_port()))


async def test_steps_come_in_order_and_everything_goes_down(settings: Settings) -> None:
    told = Told()
    async with Tiny(settings, told) as stack:
        entries = pidfiles.read_all(stack.supervisor.run_dir)
        assert [entry.name for entry in entries] == ["stack", "a", "b"]
        assert all(entry.ready_at for entry in entries)
        assert set(stack.took_s) == {"a", "b", "total"}
        assert pidfiles.HomeLock(stack.supervisor.run_dir).owner() == os.getpid()
    assert told.steps == [
        "a began", "a done", "b began", "b done", "stopping began", "stopped done",
    ]  # fmt: skip
    assert list(pidfiles.marked(stack.supervisor.mark)) == []
    assert pidfiles.read_all(stack.supervisor.run_dir) == []
    assert pidfiles.HomeLock(stack.supervisor.run_dir).owner() is None


async def test_one_that_fails_takes_the_others_down(settings: Settings) -> None:
    stack = Tiny(settings)
    stack.codes = {"a": STAY, "b": "import sys; sys.exit('the disk is full')"}
    with pytest.raises(StartFailed, match=r"b stopped with exit code 1: the disk is full"):
        await stack.__aenter__()
    assert list(pidfiles.marked(stack.supervisor.mark)) == []
    assert pidfiles.HomeLock(stack.supervisor.run_dir).owner() is None


async def test_a_second_stack_of_one_home_is_refused(settings: Settings) -> None:
    async with Tiny(settings) as stack:
        with pytest.raises(Rejected, match=rf"already running \(pid {os.getpid()}\)"):
            await Tiny(settings).__aenter__()
        assert len(list(pidfiles.marked(stack.supervisor.mark))) == 2


async def test_what_a_killed_stack_left_gives_way(settings: Settings) -> None:
    killed = Tiny(settings)
    await killed.supervisor.start(
        Program("a", [sys.executable, "-c", STAY], {}, Path("/"), says_ready=True)
    )
    told = Told()
    async with Tiny(settings, told):
        assert list(pidfiles.marked(killed.supervisor.mark)) == []
    assert told.steps[:2] == ["cleared began", "cleared done"]
    await killed.supervisor.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_the_stack(settings: Settings, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    class Impatient(Told):
        def began(self, step: str) -> None:
            super().began(step)
            if step == "stopping":
                os.kill(os.getpid(), number)

    told = Impatient()
    stack = Tiny(settings, told)
    is_up = asyncio.Event()

    async def stay() -> None:
        async with stack:
            is_up.set()
            await asyncio.Event().wait()

    staying = asyncio.create_task(stay())
    await asyncio.wait_for(is_up.wait(), 20)
    os.kill(os.getpid(), number)
    await until(staying.done)
    assert told.steps[-2:] == ["stopping began", "stopped done"]
    assert staying.cancelled()
    assert signal.getsignal(number) is before
    assert list(pidfiles.marked(stack.supervisor.mark)) == []


async def test_a_taken_port_is_found_before_anything_starts(settings: Settings) -> None:
    told = Told()
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.port))
        other.listen()
        with pytest.raises(Rejected, match=rf"port {settings.port} is taken .* POTOK_PORT"):
            await Tiny(settings, told).__aenter__()
    assert "a began" not in told.steps


async def test_a_database_that_is_down_is_one_line(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="PostgreSQL does not answer: ") as caught:
        await Stack(settings).__aenter__()
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_given_prefect_that_is_down_is_one_line(tmp_path: Path, database: str) -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    settings = settings_at(tmp_path, DATABASE_URL=database, PREFECT_API_URL=url)
    with pytest.raises(Unavailable, match=rf"Prefect does not answer at {url}: .*PREFECT_API_URL"):
        await Stack(settings).__aenter__()


def test_the_schema_is_current_until_it_changes(tmp_path: Path, database: str) -> None:
    settings = settings_at(tmp_path, DATABASE_URL=database)
    assert not schema.is_current(settings)
    schema.mark_current(settings)
    assert schema.is_current(settings)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = 'older'")
    assert not schema.is_current(settings)


def test_provisioning_is_repeated_when_something_it_depends_on_changes(settings: Settings) -> None:
    assert not fingerprint.is_provisioned(settings)
    fingerprint.mark_provisioned(settings)
    assert fingerprint.is_provisioned(settings)
    changed = settings.model_copy(update={"bitrix24_limit": "off"})
    assert not fingerprint.is_provisioned(changed)
    given = settings.model_copy(update={"given_prefect_api_url": settings.prefect_api_url})
    assert not fingerprint.is_provisioned(given)
    fingerprint.forget(settings)
    assert not fingerprint.is_provisioned(settings)


def test_a_changed_flow_changes_the_fingerprint(settings: Settings, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    (root / "flows").mkdir(parents=True)
    empty = fingerprint.fingerprint(settings, root)
    (root / "flows" / "leads.py").write_text("one = 1\n")
    first = fingerprint.fingerprint(settings, root)
    (root / "flows" / "leads.py").write_text("one = 2\n")
    assert len({empty, first, fingerprint.fingerprint(settings, root)}) == 3
    assert fingerprint.fingerprint(settings, ROOT) == fingerprint.fingerprint(settings, ROOT)
