"""The way of one delivery, from its commit to the CRM, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from lib.store.engine import Database

_TRACE = text(
    """
    select d.id as delivery_id, d.state, d.error, d.outcome, d.received_at, d.settled_at,
      b.created_at as claimed_at, b.flow_run_id, b.started_at,
      l.id as lead_id, l.created_at as stored_at, l.crm_id, l.crm_at
    from deliveries d
    left join batches b on b.id = d.batch_id
    left join lead_messages m on m.delivery_id = d.id
    left join leads l on l.id = m.lead_id
    where d.key = :key
    """
)


_HEARING = text(
    """
    select d.received_at, t.state, t.error, t.text, t.duration_s, t.model,
      t.created_at as asked_at, j.created_at as submitted_at, j.ended_at as heard_at
    from deliveries d
    join transcripts t on d.id = any(t.asked_by)
    left join speech_jobs j on j.id = t.job_id
    where d.key = :key
    """
)


@dataclass(frozen=True, slots=True)
class Trace:
    """How far a delivery is; what has not happened yet is None.

    Attributes:
        outcome: what its run wrote, with milliseconds by stage under ``ms``.
        received_at: committed, before the webhook was answered.
        claimed_at: put into a batch.
        started_at: a run has taken the batch.
        stored_at: its lead was opened; earlier than ``received_at`` when the lead was there.
        crm_at: the CRM's first answer about the lead was recorded.
        settled_at: done or dead.
    """

    delivery_id: int
    state: str
    error: str | None
    outcome: dict[str, Any] | None
    received_at: datetime
    settled_at: datetime | None
    claimed_at: datetime | None
    flow_run_id: UUID | None
    started_at: datetime | None
    lead_id: int | None
    stored_at: datetime | None
    crm_id: int | None
    crm_at: datetime | None


async def fetch_trace(database: Database, key: str) -> Trace | None:
    """The way of a delivery so far; None: it was never committed.

    Raises:
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        row = (await connection.execute(_TRACE, {"key": key})).first()
    return Trace(**row._mapping) if row else None


@dataclass(frozen=True, slots=True)
class Hearing:
    """How far the recording of a message is; what has not happened yet is None.

    Attributes:
        received_at: the message was committed.
        asked_at: its words are wanted.
        submitted_at: its recording is with the speech service.
        heard_at: the service has ended.
    """

    received_at: datetime
    state: str
    error: str | None
    text: str | None
    duration_s: float | None
    model: str | None
    asked_at: datetime
    submitted_at: datetime | None
    heard_at: datetime | None


async def fetch_hearing(database: Database, key: str) -> Hearing | None:
    """What becomes of the recording of a delivery; None: nobody has asked for it yet.

    Raises:
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        row = (await connection.execute(_HEARING, {"key": key})).first()
    return Hearing(**row._mapping) if row else None
