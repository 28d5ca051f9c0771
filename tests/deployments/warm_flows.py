"""Flows for tests of the warm worker: one tells what its process is and knows, one hangs."""

from __future__ import annotations

import os
import threading

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

MARKER = "MARKER_OF_ONE_RUN"


@flow
async def look_around(fail: bool = False) -> None:
    """Leave a table with the process, the marker in its environment, and the run."""
    seen = {"pid": os.getpid(), "marker": os.environ.get(MARKER), "run": str(flow_run.id)}
    await acreate_table_artifact([seen], key="look-around")
    get_run_logger().info("looked around")
    if fail:
        raise ValueError("as told")


@flow(timeout_seconds=1)
async def stuck() -> None:
    """Block the event loop, so that no timeout of its own can end it."""
    threading.Event().wait(600)
