"""``potok down``: stops a stack, wherever it was started, and cleans up after a killed one."""

from __future__ import annotations

import signal

import psutil

from deployments.settings import Settings
from deployments.stack import pidfiles
from lib.errors import PotokError

STOP_WITHIN_S = 90.0


def bring_down(settings: Settings) -> str:
    """Stop the stack of this POTOK_HOME, or what a killed one left behind.

    Returns:
        One line about what there was to stop.

    Raises:
        PotokError: it could not be stopped.
    """
    owner = pidfiles.HomeLock(pidfiles.run_dir(settings.home)).owner()
    if owner:
        _stop_supervisor(owner)
    left = (
        pidfiles.stop_orphans(pidfiles.run_dir(settings.home))
        if pidfiles.run_dir(settings.home).exists()
        else []
    )
    if left:
        return f"stopped what a killed stack left: {', '.join(left)}"
    return "stopped" if owner else "nothing was running"


def _stop_supervisor(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        pidfiles.end(process, signal.SIGTERM, STOP_WITHIN_S)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise PotokError(
            f"the stack (pid {pid}) is another user's: that user can stop it"
        ) from None
