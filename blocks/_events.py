"""A batch of events on its way through a flow: news of a lead or of the CRM, not messages."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.runtime import flow_run

from blocks._batch import settlement_of
from blocks.storage import Store
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Event:
    """One event, and why it failed, if it did."""

    delivery_id: int
    key: str
    message: dict[str, Any]
    error: BaseException | None = None


@dataclass(slots=True)
class Events:
    """The events of a run; without a batch there are none, and the run looks at everything."""

    database: Database
    batch_id: UUID | None = None
    items: list[Event] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)

    def named(self, name: str) -> list[Any]:
        """The values that the events have under a name, each once, in the order they came."""
        found = (event.message.get(name) for event in self.items)
        return list(dict.fromkeys(value for value in found if value is not None))

    def fail(self, name: str, values: Iterable[Any], error: BaseException) -> None:
        """The events with one of these values failed."""
        wanted = set(values)
        for event in self.items:
            if event.message.get(name) in wanted:
                event.error = error


@asynccontextmanager
async def events_of(store: Store, batch_id: UUID | None) -> AsyncIterator[Events]:
    """The events of a batch, settled when the block ends; none without a batch.

    An error that ends the block fails every event that had not failed by itself.
    """
    if batch_id is None:
        yield Events(store.database())
        return
    async with store.hold(batch_id) as database:
        if flow_run.run_count > 1:
            await Claims(database).reopen(batch_id)
        taken = await Batches(database).take(batch_id)
        events = Events(
            database, batch_id, [Event(each.id, each.key, each.message) for each in taken]
        )
        try:
            yield events
        except Exception as exc:
            for event in events.items:
                event.error = event.error or exc
            await _settle(events, batch_id)
            raise
        await _settle(events, batch_id)


async def _settle(events: Events, batch_id: UUID) -> None:
    jitter = random.random()  # noqa: S311 — spreads retries, hides nothing
    settlements = []
    for event in events.items:
        result = {"result": "failed" if event.error else "done"}
        settlements.append(settlement_of(event.delivery_id, result, event.error))
        if event.error is not None:
            log.warning("event.failed key=%s reason=%s", event.key, type(event.error).__name__)
    events.dead = await Batches(events.database).settle(batch_id, settlements, jitter)
