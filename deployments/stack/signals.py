"""Signals: the first asks the stack to go down, and none may interrupt it while it does."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

ASKS_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """What the signals that ask to stop do while a stack is up.

    Outside of the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Cancel the current task on the first signal; from then on be deaf."""
        task = asyncio.current_task()
        if task is None or threading.current_thread() is not threading.main_thread():
            return

        def stop() -> None:
            self.ignore()
            task.cancel()

        self._before = {number: signal.getsignal(number) for number in ASKS_TO_STOP}
        for number in ASKS_TO_STOP:
            asyncio.get_running_loop().add_signal_handler(number, stop)

    def ignore(self) -> None:
        """Be deaf until ``restore``: an interrupted stop would leave processes behind."""
        for number in self._before:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def restore(self) -> None:
        """Give the signals the effect they had before ``listen``."""
        for number, effect in self._before.items():
            signal.signal(number, effect)
        self._before = {}
