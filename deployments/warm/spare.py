"""A spare process: everything imported and connected, waiting for flow runs.

It is forked from a template process that has imported this module, so the imports below are paid
once and their pages are shared. It runs one flow run at a time. After one that ended well it
waits for another, up to a number; after any other it ends, as does one that left tasks behind.
Its pipe is its life line: when the worker dies, a waiting spare ends, and a running one finishes
its run first.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import sys
from math import inf
from multiprocessing.connection import Connection
from typing import Any, cast

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext
from prefect.engine import handle_engine_signals
from prefect.events.worker import EventsWorker
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.logging.handlers import APILogWorker

from deployments.warm.lean_engine import known_to, slim
from deployments.warm.order import Order
from deployments.warm.rehearsal import rehearse
from lib.store.engine import Database
from lib.store.lives import life_of

RUN_NICENESS = 10  # a webhook is answered first: runs take the processor time that is left


def flow_from(entrypoint: str) -> Flow[Any, Any]:
    """The flow object at a module path.

    Raises:
        ImportError: the module cannot be imported or has no such flow.
    """
    module, _, name = entrypoint.replace(":", ".").rpartition(".")
    flow = getattr(importlib.import_module(module), name, None)
    if not isinstance(flow, Flow):
        raise ImportError(f"{entrypoint} is not a flow; deploy with a module path")
    return flow


async def _order(connection: Connection) -> Order | None:
    """The next order, or None when the worker is gone."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection.fileno(), readable.set)
    await readable.wait()
    loop.remove_reader(connection.fileno())
    try:
        return cast(Order, connection.recv())
    except (EOFError, ConnectionResetError):
        return None


async def _run(
    order: Order, connection: Connection, client: PrefectClient, database: Database
) -> None:
    """Run one flow run; every end but a good one is an exception or SystemExit."""
    before = dict(os.environ)
    os.environ.update(order.env)
    flow_run = FlowRun.model_validate_json(order.flow_run)
    known = known_to(client, flow_run, is_running=order.is_running)
    async with life_of(database, flow_run.id):
        with handle_engine_signals(flow_run.id), known:
            flow = flow_from(order.entrypoint)
            connection.send(flow.timeout_seconds or inf)
            result = run_flow(flow, flow_run=flow_run)
            if asyncio.iscoroutine(result):
                await result
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


async def _serve(connection: Connection, runs: int) -> None:
    async with AsyncClientContext.get_or_create() as context:
        await context.client.hello()  # opens the connection and loads what a first request loads
        EventsWorker.instance()
        APILogWorker.instance()
        database = Database(os.environ["DATABASE_URL"], pool_size=1)
        own = asyncio.all_tasks()
        for left in reversed(range(runs)):
            connection.send(None)
            order = await _order(connection)
            if order is None:
                return
            await _run(order, connection, context.client, database)
            if not left or asyncio.all_tasks() - own:
                return
            gc.collect()


def main(connection: Connection, runs: int) -> None:
    """Get ready, say so, and run flow runs one after the other, at most ``runs``."""
    sys.argv = ["potok-spare"]
    os.nice(RUN_NICENESS)
    asyncio.run(_serve(connection, runs))


slim()
for _room in ("flows", "blocks", "lib"):  # Prefect takes their lines to its UI, but at WARNING
    logging.getLogger(_room).setLevel(logging.INFO)
for _module in filter(None, os.environ.get("POTOK_PRELOAD", "").split(",")):
    importlib.import_module(_module)
rehearse()
gc.collect()
gc.freeze()  # the collector must not touch, and so copy, the pages that all spares share
