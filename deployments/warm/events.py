"""Prefect's event stream: what the worker would find out by polling, at once.

A hint and no more. What happens while the stream is away is not made up for, so whoever is
woken polls besides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

log = logging.getLogger(__name__)

RECONNECT_S = 1.0

SCHEDULED = ("prefect.flow-run.Scheduled", "prefect.flow-run.AwaitingRetry")
CANCELLING = ("prefect.flow-run.Cancelling",)


async def wake_on_events(wakes: Mapping[str, Callable[[], None]]) -> None:
    """Call a function upon each event of its name, for ever, however often Prefect is away.

    Args:
        wakes: what to call, by the event's name; all are called after each connection too.
    """
    while True:
        wanted = EventFilter(event=EventNameFilter(name=list(wakes)))
        try:
            async with get_events_subscriber(wanted, reconnection_attempts=0) as events:
                for wake in wakes.values():
                    wake()
                async for event in events:
                    wakes[event.event]()
        except Exception as exc:  # noqa: BLE001 — Prefect's subscriber raises bare ones, too
            log.warning("events.away kind=%s reason=%s", type(exc).__name__, exc)
        await asyncio.sleep(RECONNECT_S)
