"""``potok status``: what runs, since when, and with how much memory."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import psutil
from rich.table import Table

from deployments.settings import Settings
from deployments.stack import pidfiles
from lib.errors import Rejected
from lib.router.shelf import Shelf


@dataclass(frozen=True)
class Row:
    """One program of the stack, its descendants included.

    Attributes:
        memory_mb: proportional set size of the whole tree (shared pages counted once), else RSS.
        state: ``ready``, ``starting`` or ``dead``.
    """

    name: str
    pid: int
    uptime_s: float
    memory_mb: float
    processes: int
    port: int | None
    restarts: int
    state: str

    @property
    def is_ready(self) -> bool:
        """Whether it does its work."""
        return self.state == "ready"


def rows(settings: Settings) -> list[Row]:
    """The programs that are written down, in order of start."""
    found = [_row(entry) for entry in pidfiles.read_all(pidfiles.run_dir(settings.home))]
    return [row if row.name != pidfiles.STACK else _alone(row) for row in found]


def _row(entry: pidfiles.Entry) -> Row:
    process = entry.living()
    if process is None:
        return Row(entry.name, entry.pid, 0, 0, 0, entry.port, entry.restarts, "dead")
    family = [process] if entry.name == pidfiles.STACK else _family(process)
    return Row(
        name=entry.name,
        pid=entry.pid,
        uptime_s=time.time() - entry.created_at,
        memory_mb=sum(map(_memory_bytes, family)) / 1e6,
        processes=len(family),
        port=entry.port,
        restarts=entry.restarts,
        state="ready" if entry.ready_at else "starting",
    )


def _alone(row: Row) -> Row:
    return Row(**{**asdict(row), "name": "supervisor"})


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


def trouble_with_models() -> str | None:
    """What is wrong with the table of models; None: nothing."""
    from deployments.llm_access import TABLE  # aiohttp, 0.1 s

    try:
        Shelf(TABLE)
    except Rejected as exc:
        return f"{exc}: the door goes on with the table before it"
    return None


def table(found: list[Row]) -> Table:
    """The rows for people."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("process")
    for title in ("pid", "up", "memory MB", "processes", "port", "restarts"):
        shown.add_column(title, justify="right")
    shown.add_column("state")
    colours = {"ready": "green", "starting": "yellow", "dead": "red"}
    for row in found:
        shown.add_row(
            row.name,
            str(row.pid),
            span_text(row.uptime_s),
            f"{row.memory_mb:.0f}",
            str(row.processes),
            str(row.port or ""),
            str(row.restarts or ""),
            f"[{colours[row.state]}]{row.state}[/]",
        )
    return shown


def span_text(seconds: float) -> str:
    """A span of time for people: ``3 h 05 min``, ``5 min 20 s``, ``7 s``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
