"""Signals: one asks the stack to go down, and while it goes down none may interrupt that."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ASKS_TO_STOP = (signal.SIGTERM, signal.SIGHUP)


def cancel_on_signals() -> None:
    """Cancel the current task on SIGTERM and SIGHUP, as ``asyncio.run`` does on Ctrl-C."""
    task = asyncio.current_task()
    if task is not None and _in_main_thread():
        for number in ASKS_TO_STOP:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore the signals that ask to stop; afterwards they have their default effect again."""
    if not _in_main_thread():
        yield
        return
    for number in ASKS_TO_STOP:
        asyncio.get_running_loop().remove_signal_handler(number)
    before = {number: signal.getsignal(number) for number in (*ASKS_TO_STOP, signal.SIGINT)}
    for number in before:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, effect in before.items():
            signal.signal(number, effect)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
