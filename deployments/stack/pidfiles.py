"""What runs, written down in ``POTOK_HOME/run`` so that another process can find and stop it.

A pid alone proves nothing: it is used again. A process is ours when its pid and its start time
are the ones written down, or when its environment carries the mark of the run that started it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

MARK = "POTOK_RUN"
STACK = "stack"  # the entry of the supervisor itself
LOOK_EVERY_S = 0.05
KILLED_WITHIN_S = 5.0
CLOCK_SLACK_S = 2.0  # a start time is counted from the boot time, which follows clock corrections


@dataclass(frozen=True)
class Entry:
    """One process as written down.

    Attributes:
        name: of the program.
        pid: of its main process, the leader of its process group.
        created_at: unix seconds, as psutil gives them.
        mark: of the run that started it; every descendant inherits it as ``POTOK_RUN``.
        order: its place in the start; stopping goes backwards.
        stop_signal: the signal that asks it to end well.
        port: the TCP port it serves, if any.
        ready_at: unix seconds since when it answers; 0 while it does not.
        restarts: how often it was started again after it died.
    """

    name: str
    pid: int
    created_at: float
    mark: str
    order: int
    stop_signal: int = signal.SIGTERM
    port: int | None = None
    ready_at: float = 0.0
    restarts: int = 0

    def living(self) -> psutil.Process | None:
        """The process, if it is alive and the very one that was written down."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.created_at) < CLOCK_SLACK_S
            return process if is_same and is_alive(process) else None
        except psutil.NoSuchProcess:
            return None


def run_dir(home: Path) -> Path:
    """Where the pid files and the lock of a POTOK_HOME are."""
    return home / "run"


def this_process(name: str, mark: str, ready_at: float = 0.0) -> Entry:
    """An entry for the process that asks: it comes before all that it starts."""
    own = psutil.Process()
    return Entry(name, own.pid, own.create_time(), mark, order=-1, ready_at=ready_at)


def write(run_dir: Path, entry: Entry) -> None:
    """Write an entry, whole or not at all."""
    path = run_dir / f"{entry.name}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(entry)))
    fresh.replace(path)


def remove(run_dir: Path, name: str) -> None:
    """Forget a process."""
    (run_dir / f"{name}.json").unlink(missing_ok=True)


def read_all(run_dir: Path) -> list[Entry]:
    """All entries in order of start; a file that cannot be read is removed."""
    entries = []
    for path in run_dir.glob("*.json"):
        try:
            entries.append(Entry(**json.loads(path.read_text())))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)
    return sorted(entries, key=lambda entry: entry.order)


def living(run_dir: Path) -> list[Entry]:
    """The entries of processes that are alive, in order of start."""
    return [entry for entry in read_all(run_dir) if entry.living() is not None]


def marked(mark: str) -> Iterator[psutil.Process]:
    """Living processes, this one aside, whose environment carries the mark."""
    for process in psutil.process_iter():
        try:
            is_other = process.pid != os.getpid()
            if is_other and process.environ().get(MARK) == mark and is_alive(process):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def kill_marked(mark: str) -> int:
    """Kill what is left of a run; give how many processes there were."""
    left = list(marked(mark))
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    deadline = time.monotonic() + KILLED_WITHIN_S
    while any(is_alive(process) for process in left) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    return len(left)


def stop_orphans(run_dir: Path, grace_s: float = 15.0) -> list[str]:
    """Stop what a run that was killed left behind, the last started first.

    Returns:
        The names of the programs that were still alive.
    """
    entries = read_all(run_dir)
    stopped = []
    for entry in reversed(entries):
        process = entry.living()
        if process is not None:
            stopped.append(entry.name)
            end(process, entry.stop_signal, grace_s)
        remove(run_dir, entry.name)
        (run_dir / f"{entry.name}.ready").unlink(missing_ok=True)
    for mark in {entry.mark for entry in entries}:
        kill_marked(mark)
    return stopped


def end(process: psutil.Process, stop_signal: int, grace_s: float) -> None:
    """Ask a process that is not our child to end, and kill its group when the grace is over."""
    try:
        process.send_signal(stop_signal)
    except psutil.NoSuchProcess:
        return
    deadline = time.monotonic() + grace_s
    while is_alive(process):
        if time.monotonic() > deadline:
            process.kill()
            kill_group(process.pid)
            return
        time.sleep(LOOK_EVERY_S)


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs: where nobody reaps orphans, the dead stay listed as zombies."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_group(pid: int) -> None:
    """Kill every process of a group that is still there."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class HomeLock:
    """One stack per POTOK_HOME: held as long as its owner lives, however it ends."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "lock"
        self._fd: int | None = None

    def take(self) -> bool:
        """Take the lock; ``False`` when a living process has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        os.truncate(fd, 0)
        os.write(fd, f"{os.getpid()} {time.time():.0f}\n".encode())
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def owner(self) -> int | None:
        """The pid that holds the lock; ``None`` when nobody does."""
        if not self._path.exists():
            return None
        with self._path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                words = file.read().split()
                return int(words[0]) if words else 0
        return None
