"""PostgreSQL: the block with its address, and the tasks on the inbox and on leads."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from prefect.blocks.core import Block
from prefect.runtime import flow_run
from pydantic import Field, HttpUrl, SecretStr

from blocks._batch import BatchItem, LeadBatch, settlement_of
from blocks._retry import retried
from blocks._shared import shared
from lib.domain.inbound import InboundMessage
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.events import lead_changed
from lib.store.inbox import NewDelivery
from lib.store.leads import Leads, ReadMessage
from lib.store.settlements import Settlement

log = logging.getLogger(__name__)


class Store(Block):
    """potok's own PostgreSQL database."""

    _block_type_name = "potok store"
    _block_type_slug = "potok-store"
    _documentation_url = HttpUrl("https://www.postgresql.org/docs/current/libpq-connect.html")

    dsn: SecretStr = Field(description="As in postgresql://user:password@host:port/database.")

    def database(self) -> Database:
        """The database, shared by the runs of a process."""
        dsn = self.dsn.get_secret_value()
        return shared(("database", dsn), lambda: Database(dsn))

    @asynccontextmanager
    async def hold(self, batch_id: UUID) -> AsyncIterator[Database]:
        """The database, with a batch held in this process's hands for as long as the block lasts.

        Raises:
            Rejected: another living run has the batch.
        """
        database = self.database()
        async with Batches(database).hold(batch_id):
            yield database


@retried
async def take(database: Database, batch_id: UUID) -> LeadBatch:
    """The messages of a batch; none when they went back to the inbox meanwhile.

    A message that was read before, by a run that died after, keeps what was read. A run that a
    person repeats takes again what its batch has not done, dead or not.
    """
    if flow_run.run_count > 1:
        again = await Claims(database).reopen(batch_id)
        log.info("batch.repeated batch_id=%s messages=%d", batch_id, again.size if again else 0)
    claimed = await Batches(database).take(batch_id)
    known = await Leads(database).inquiries([delivery.id for delivery in claimed])
    return LeadBatch(
        batch_id,
        [
            BatchItem(
                delivery_id=delivery.id,
                key=delivery.key,
                received_at=delivery.received_at,
                message=InboundMessage.model_validate(delivery.message),
                inquiry=known.get(delivery.id),
            )
            for delivery in claimed
        ],
    )


@retried
async def store_leads(database: Database, batch: LeadBatch) -> LeadBatch:
    """Open or grow the lead of every message, in one transaction.

    Should the database refuse a value, each message is stored by itself and the bad one fails.
    """
    started = time.monotonic()
    leads = Leads(database)
    items = [item for item in batch.going if item.inquiry is not None]

    async def store(some: list[BatchItem]) -> None:
        grown = await leads.grow([_read(item) for item in some])
        for item in some:
            item.lead = grown[item.delivery_id]

    await batch.bulk(store, items)
    for item in items:
        item.ms["store"] = round((time.monotonic() - started) * 1000)
    return batch


@retried
async def settle(
    database: Database, batch: LeadBatch, events: Sequence[NewDelivery] = ()
) -> LeadBatch:
    """Write into the inbox what became of every message, news of leads and events, at once."""
    going = {item.delivery_id for item in batch.going}
    settlements = [
        _settlement(item)
        for item in batch.items
        if item.error is not None or item.delivery_id in going
    ]
    jitter = random.random()  # noqa: S311 — spreads retries, hides nothing
    batches = Batches(database)
    batch.dead = await batches.settle(batch.batch_id, settlements, jitter, [*_news(batch), *events])
    outcomes = batch.outcomes()
    for item in batch.items:
        lead_id, crm_id = (item.lead.id, item.lead.crm_id) if item.lead else (None, None)
        log.info(
            "message.settled key=%s outcome=%s lead_id=%s crm_id=%s ms=%s",
            *(item.key, outcomes[item.delivery_id], lead_id, crm_id, sum(item.ms.values())),
        )
    return batch


def _read(item: BatchItem) -> ReadMessage:
    assert item.inquiry is not None
    return ReadMessage(item.delivery_id, item.message, item.inquiry)


def _news(batch: LeadBatch) -> list[NewDelivery]:
    """Of each lead that messages of the batch have opened or grown."""
    grown = {item.lead.id: item.key for item in batch.going if item.lead and item.lead.id}
    return [lead_changed(lead_id, key) for lead_id, key in grown.items()]


def _settlement(item: BatchItem) -> Settlement:
    outcome: dict[str, Any] = {"result": item.outcome, "ms": item.ms}
    if item.lead is not None:
        outcome |= {"lead_id": item.lead.id, "crm_id": item.lead.crm_id}
    return settlement_of(item.delivery_id, outcome, item.error)
