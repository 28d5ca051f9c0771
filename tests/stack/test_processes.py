from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deployments.stack import pidfiles
from deployments.stack.processes import Supervisor
from deployments.stack.program import (
    Program,
    StartFailed,
    http_ready,
    last_words,
    rotate,
    tail_of,
)
from tests.support import free_port, until

WAIT_FOREVER = "import signal; signal.pause()"
SAY_READY = "import os; open(os.environ['POTOK_READY_FILE'], 'w').close()"


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    one = Supervisor(tmp_path)
    yield one
    await one.stop()
    assert list(pidfiles.marked(one.mark)) == []
    assert pidfiles.read_all(one.run_dir) == []


def program(code: str, **changes: object) -> Program:
    env = {"PATH": os.defpath, "PYTHONUNBUFFERED": "1"}
    plain = Program("tiny", [sys.executable, "-c", code], env, Path("/"), grace_s=5.0)
    return replace(plain, **changes)  # type: ignore[arg-type]


async def test_ready_when_its_door_answers(supervisor: Supervisor) -> None:
    port = free_port()
    server = program("", argv=[sys.executable, "-m", "http.server", str(port), "-b", "127.0.0.1"])
    ready = http_ready(f"http://127.0.0.1:{port}/")
    assert not await ready()
    await supervisor.start(replace(server, ready=ready))
    assert await ready()
    [entry] = pidfiles.read_all(supervisor.run_dir)
    assert entry.pid == supervisor.pid("tiny")
    assert entry.ready_at > 0


async def test_ready_when_it_says_so(supervisor: Supervisor) -> None:
    await supervisor.start(program(f"{SAY_READY}; {WAIT_FOREVER}", says_ready=True))
    await supervisor.stop()
    assert not list(supervisor.run_dir.iterdir())


async def test_an_early_end_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    await supervisor.run(program("print('words of an earlier start')"))
    with pytest.raises(StartFailed) as caught:
        await supervisor.start(program("print('one'); exit('no such file')", says_ready=True))
    words = str(caught.value)
    assert "tiny stopped with exit code 1: no such file (log: " in words
    assert caught.value.tail == ["one", "no such file"]
    assert "\n" not in words


@pytest.mark.parametrize(
    ("logged", "words"),
    [
        (
            "1 validation error for CronSchedule\ncron\n"
            '  Value error, Invalid cron string: "61 * * * *" [type=value_error, '
            "input_value='61 * * * *', input_type=str]\n"
            "    For further information visit https://errors.pydantic.dev/2.14/v/value_error",
            'Invalid cron string: "61 * * * *"',
        ),
        (
            '  File "x.py", line 1\n    1 +\n      ^\nSyntaxError: invalid syntax',
            "SyntaxError: inv",
        ),
        ("no such file\n   ^^^~~", "no such file"),
        ("^", ""),
        ("", ""),
    ],
)
def test_the_last_words_say_what_is_wrong(logged: str, words: str) -> None:
    assert last_words(logged.splitlines()).startswith(words)
    assert "For further" not in last_words(logged.splitlines())
    assert bool(last_words(logged.splitlines())) == bool(words)


async def test_a_deadline_that_passes_stops_the_program(supervisor: Supervisor) -> None:
    with pytest.raises(StartFailed, match=r"was not ready in 0 s"):
        await supervisor.start(program(WAIT_FOREVER, says_ready=True, ready_within_s=0.2))
    assert list(pidfiles.marked(supervisor.mark)) == []


async def test_a_command_that_is_not_there(supervisor: Supervisor) -> None:
    with pytest.raises(StartFailed, match=r"tiny cannot be started: No such file"):
        await supervisor.start(program("", argv=["/no/such/command"]))


async def test_a_one_shot_gives_its_failure(supervisor: Supervisor) -> None:
    assert await supervisor.run(program("pass")) > 0
    with pytest.raises(StartFailed, match=r"failed with exit code 3"):
        await supervisor.run(program("exit(3)"))
    with pytest.raises(StartFailed, match=r"did not end in 0 s"):
        await supervisor.run(program(WAIT_FOREVER, ready_within_s=0.2))


async def test_a_program_that_dies_is_started_again(supervisor: Supervisor) -> None:
    await supervisor.start(program(f"{SAY_READY}; {WAIT_FOREVER}", says_ready=True))
    first = supervisor.pid("tiny")
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        entries = pidfiles.read_all(supervisor.run_dir)
        return any(entry.pid != first and entry.ready_at for entry in entries)

    await until(again)
    [entry] = pidfiles.read_all(supervisor.run_dir)
    assert entry.restarts == 1
    assert entry.living() is not None


async def test_stopping_asks_first_and_leaves_nothing_of_the_group(supervisor: Supervisor) -> None:
    deaf = "import signal; signal.signal(15, signal.SIG_IGN)"
    child = f"import os; os.setsid() if os.fork() == 0 else None; {deaf}; {WAIT_FOREVER}"
    polite = f"import signal; signal.signal(15, lambda *_: exit(print('bye'))); {SAY_READY}"
    starts = f"import subprocess, sys; subprocess.Popen([sys.executable, '-Sc', {child!r}])"
    await supervisor.start(program(f"{starts}; {polite}; {WAIT_FOREVER}", says_ready=True))
    await until(lambda: len(list(pidfiles.marked(supervisor.mark))) == 3)
    await supervisor.stop()
    assert list(pidfiles.marked(supervisor.mark)) == []
    assert tail_of(supervisor.log_dir / "tiny.log") == ["bye"]


async def test_one_that_does_not_listen_is_killed(supervisor: Supervisor) -> None:
    deaf = f"import signal; signal.signal(15, signal.SIG_IGN); {SAY_READY}; {WAIT_FOREVER}"
    await supervisor.start(program(deaf, says_ready=True, grace_s=0.2))
    await supervisor.stop()
    assert list(pidfiles.marked(supervisor.mark)) == []


async def test_the_last_started_stops_first(supervisor: Supervisor) -> None:
    log = supervisor.log_dir / "order.txt"
    code = (
        f"import signal; signal.signal(15, lambda *_: exit(open({str(log)!r}, 'a').write(NAME)));"
        f"{SAY_READY}; {WAIT_FOREVER}"
    )
    for name in "abc":
        told = program(code.replace("NAME", repr(name)), name=name, says_ready=True)
        await supervisor.start(told)
    await supervisor.stop()
    assert log.read_text() == "cba"


async def test_what_a_killed_supervisor_left_is_stopped(tmp_path: Path) -> None:
    killed = Supervisor(tmp_path)
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-Sc', {WAIT_FOREVER!r}])"
    await killed.start(program(f"{child}; {SAY_READY}; {WAIT_FOREVER}", says_ready=True))
    left = list(pidfiles.marked(killed.mark))
    assert len(left) == 2
    stopped = await asyncio.to_thread(pidfiles.stop_orphans, killed.run_dir, 5.0)
    assert stopped == ["tiny"]
    assert pidfiles.read_all(killed.run_dir) == []
    assert not [one for one in left if one.is_running() and one.status() != "zombie"]
    await killed.stop()


async def test_a_stale_pid_file_never_costs_a_stranger_its_life(tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", WAIT_FOREVER)
    born = psutil.Process(stranger.pid).create_time()
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    pidfiles.write(run_dir, pidfiles.Entry("tiny", stranger.pid, born - 60, "0" * 32, 0))
    (run_dir / "broken.json").write_text("{")
    assert pidfiles.stop_orphans(run_dir) == []
    assert pidfiles.read_all(run_dir) == []
    assert stranger.returncode is None
    assert psutil.Process(stranger.pid).is_running()
    stranger.kill()
    await stranger.wait()


def test_one_stack_per_home(tmp_path: Path) -> None:
    first, second = pidfiles.HomeLock(tmp_path), pidfiles.HomeLock(tmp_path)
    assert first.owner() is None
    assert first.take()
    assert not second.take()
    assert second.owner() == os.getpid()
    first.release()
    assert second.owner() is None
    assert second.take()
    second.release()


def test_a_log_that_has_grown_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    log.write_text("old\n" * 10)
    rotate(log, limit_bytes=100)
    assert log.exists()
    rotate(log, limit_bytes=10)
    assert not log.exists()
    assert tail_of(tmp_path / "tiny.log.1", lines=2) == ["old", "old"]
