"""What a program of the stack is: how it starts, when it is ready, how it ends."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from lib.errors import Unavailable

LOG_LIMIT_BYTES = 10_000_000

Condition = Callable[[], Coroutine[Any, Any, bool]]


class StartFailed(Unavailable):
    """A program did not start: one line that says which, why, and where its log is.

    Attributes:
        name: of the program.
        tail: the last lines it logged in this start.
        log: its whole log.
    """

    def __init__(self, name: str, reason: str, tail: Sequence[str], log: Path) -> None:
        words = last_words(tail)
        super().__init__(f"{name} {reason}{f': {words}' if words else ''} (log: {log})")
        self.name = name
        self.tail = list(tail)
        self.log = log


@dataclass(frozen=True)
class Program:
    """One program that the stack starts.

    Attributes:
        name: of the program, of its log and of its pid file.
        argv: the command.
        env: its whole environment.
        cwd: the directory it starts in.
        ready: true once it does its work; ``None``: as soon as it runs.
        says_ready: it has no door to ask, and creates the file POTOK_READY_FILE when it is ready.
        ready_within_s: the deadline of ``ready``; for a one-shot, of its end.
        stop_signal: asks it to end well.
        grace_s: how long it may take to end before it is killed.
        port: the TCP port it serves, for the status table.
        user: the OS user it runs as; ``None``: ours.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    ready: Condition | None = None
    says_ready: bool = False
    ready_within_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    port: int | None = None
    user: str | None = None


def http_ready(url: str, expect: int = 200) -> Condition:
    """The condition that a GET of ``url`` is answered with the status ``expect``."""

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)

    async def ready() -> bool:
        try:  # a client costs 30 ms of CPU, and most of the time nobody listens yet
            _, writer = await asyncio.open_connection(parts.hostname, port)
            writer.close()
            async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
                return (await client.get(url)).status_code == expect
        except (httpx.HTTPError, OSError):
            return False

    return ready


def file_ready(path: Path) -> Condition:
    """The condition that a file is there: a program without a door says so that it is ready."""

    async def ready() -> bool:
        return await asyncio.to_thread(path.exists)

    return ready


# What comes after the words that say what is wrong: pydantic's link, marks below a line of code.
_AFTERTHOUGHT = re.compile(r"For further information visit \S+|[\s^~-]+")
_PYDANTIC = re.compile(r"^Value error, |\s*\[type=\w+, input_value=.*\]$")


def last_words(lines: Sequence[str]) -> str:
    """Of the lines that a program logged last, the one that says what is wrong; "" for none."""
    telling = [line for line in lines if not _AFTERTHOUGHT.fullmatch(line.strip())]
    return _PYDANTIC.sub("", telling[-1].strip()) if telling else ""


def rotate(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Put a log that has grown beyond the limit aside; one old log is kept."""
    if log.exists() and log.stat().st_size > limit_bytes:
        log.replace(log.with_suffix(".log.1"))


def tail_of(log: Path, since_bytes: int = 0, lines: int = 12) -> list[str]:
    """The last lines that are not empty, of what was logged after ``since_bytes``."""
    with log.open("rb") as file:
        file.seek(max(since_bytes, log.stat().st_size - 16_384))
        text = file.read().decode(errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()][-lines:]
