"""What the processes of the stack use: memory by the kernel's account, and CPU time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from deployments.stack.stack import Stack

MB = 1_000_000
OURS = ("gateway", "worker", "tracker", "template", "spare")
ENDED = {"template": "spares that ended", "postgres": "postgres, ended"}  # children, by parent


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one role: PSS counts a page that n processes share as 1/n, RSS as whole in each."""

    processes: int
    pss_mb: float
    rss_mb: float


def members(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of the stack with its role."""
    for name in stack.supervisor.names:
        try:
            root = psutil.Process(stack.supervisor.pid(name))
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for one in family:
            try:
                yield _role(name, root, one), one
            except psutil.NoSuchProcess:
                continue


def memory_of(stack: Stack) -> dict[str, Memory]:
    """Memory by role."""
    found: dict[str, Memory] = {}
    for role, process in members(stack):
        role = role.partition("/")[0]
        try:
            pss_mb, rss_mb = _pss_and_rss_mb(process.pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        so_far = found.get(role, Memory(0, 0.0, 0.0))
        found[role] = Memory(so_far.processes + 1, so_far.pss_mb + pss_mb, so_far.rss_mb + rss_mb)
    return found


def ours_mb(memory: dict[str, Memory]) -> float:
    """PSS of the gateway with its dispatcher and of the worker with its spares."""
    return sum(one.pss_mb for role, one in memory.items() if role in OURS)


def memory_lines(memory: dict[str, Memory]) -> list[str]:
    """A table of memory by role."""
    return [
        f"{role:<10} {one.processes:3} proc  PSS {one.pss_mb:7.1f} MB  RSS {one.rss_mb:7.1f} MB"
        for role, one in memory.items()
    ]


def cpu_s(stack: Stack) -> dict[str, float]:
    """CPU seconds so far by role, with those of children that have ended."""
    own = psutil.Process().cpu_times()
    found = {
        "bench": own.user + own.system,
        "bench's children": own.children_user + own.children_system,
    }
    for role, process in members(stack):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[role] = found.get(role, 0.0) + times.user + times.system
        ended = ENDED.get(role, role)
        found[ended] = found.get(ended, 0.0) + times.children_user + times.children_system
    return found


def cpu_lines(before: dict[str, float], after: dict[str, float], wall_s: float) -> list[str]:
    """What each role has spent, the most first; of roles that came or went, what can be told."""
    spent = {role: after[role] - before.get(role, 0.0) for role in after}
    ordered = sorted(spent.items(), key=lambda one: -one[1])
    lines = [f"{role:<18} {s:7.2f} s  {s / wall_s:6.1%} of a core" for role, s in ordered if s > 0]
    total_s = sum(spent.values())
    return [*lines, f"{'all':<18} {total_s:7.2f} s  {total_s / wall_s:6.1%} of a core"]


def _role(program: str, root: psutil.Process, process: psutil.Process) -> str:
    if program == "postgres":
        words = " ".join(process.cmdline()).split() if process != root else []
        is_session = len(words) > 3 and "(" in words[3]
        return f"postgres/{words[2]}" if is_session else "postgres"
    if program != "worker" or process == root:
        return program
    if process.ppid() != root.pid:
        return "spare"
    return "tracker" if "resource_tracker" in " ".join(process.cmdline()) else "template"


def _pss_and_rss_mb(pid: int) -> tuple[float, float]:
    """Source: proc(5), smaps_rollup; kB there are 1024 bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name.rstrip(":"): int(value) for name, value, *_ in map(str.split, lines)}
    return kib["Pss"] * 1024 / MB, kib["Rss"] * 1024 / MB
