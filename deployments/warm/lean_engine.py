"""What a run in a warm process does without. Prefect is pinned; a test runs the real engine.

Measured for one flow run on 2 cores, Prefect 3.8.8: the suspension observer opens a web socket in
a thread of its own and waits for it, 0.15–0.25 s; the server's default result storage is asked for
by a new synchronous client on the event loop, 0.02–0.16 s. Nothing here suspends or keeps results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import prefect
import prefect.flow_engine
import prefect.results

PATCHED_VERSION = "3.8.8"


@contextmanager
def _unobserved(*_: Any) -> Iterator[None]:
    yield


def _no_server_default() -> None:
    return None


def slim() -> None:
    """Take both out of this process.

    Raises:
        RuntimeError: this is another Prefect, whose engine was not looked at.
    """
    if prefect.__version__ != PATCHED_VERSION:
        raise RuntimeError(
            f"lean_engine knows Prefect {PATCHED_VERSION}, not {prefect.__version__}"
        )
    for module, name, instead in (
        (prefect.flow_engine, "observe_flow_run_suspension", _unobserved),
        (prefect.results, "_read_server_default_result_storage_block_id", _no_server_default),
    ):
        if not hasattr(module, name):
            raise RuntimeError(f"{module.__name__} has no {name}")
        setattr(module, name, instead)
