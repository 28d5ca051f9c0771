"""The stack that runs in a POTOK_HOME, as it wrote itself down: every command finds it by itself.

A stack that was started with other ports than this shell knows is found all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployments.settings import Settings, read_settings
from deployments.stack import pidfiles
from lib.errors import Rejected

PORTS = {
    "gateway": "POTOK_PORT",
    "llm": "POTOK_LLM_PORT",
    "speech": "POTOK_SPEECH_PORT",
    "mcp": "POTOK_MCP_PORT",
    "sandbox": "POTOK_SANDBOX_PORT",
    "prefect": "POTOK_PREFECT_PORT",
    "postgres": "POTOK_PG_PORT",
}


@dataclass(frozen=True)
class Running:
    """What runs now.

    Attributes:
        settings: this environment's, with the ports and the sandbox mode of what runs.
        pid: of the supervisor; None: no stack runs, at most what a killed one left.
        is_ready: the stack is up, not on its way.
        has_sandbox: the sandbox is part of it.
    """

    settings: Settings
    pid: int | None
    is_ready: bool
    has_sandbox: bool


def find_running() -> Running:
    """What runs in the POTOK_HOME of this environment.

    Raises:
        Rejected: a variable is wrong.
    """
    settings = read_settings()
    run_dir = pidfiles.run_dir(settings.home)
    pid = pidfiles.HomeLock(run_dir).owner()
    read = pidfiles.living if pid is None else pidfiles.read_all
    entries = {entry.name: entry for entry in read(run_dir)}
    if not entries:
        return Running(settings, pid, False, False)
    found: dict[str, Any] = {
        variable: entries[name].port for name, variable in PORTS.items() if name in entries
    }
    stack = entries.get(pidfiles.STACK)
    is_ready = stack is not None and bool(stack.ready_at)
    if is_ready or (pid is None and "sandbox" in entries):
        found["POTOK_SANDBOX"] = "sandbox" in entries
    return Running(read_settings(**found), pid, is_ready, "sandbox" in entries)


def check_sandbox(running: Running) -> None:
    """Raise Rejected when a stack runs that talks to real vendors."""
    if running.is_ready and not running.has_sandbox:
        raise Rejected(
            "the stack that runs talks to the real vendors: "
            "`potok down`, then `potok up --sandbox`; or give another POTOK_HOME"
        )
