"""The tables. Rows point at each other by our ids; a vendor's id ends in ``crm_id`` or the like.

deliveries ──► batches        what came in, and the run that has it
    │
    ▼
lead_messages ──► leads       what a person wrote, and what became of it
                    ▲
    calls, scores ──┘         see ``lead_tables``
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Numeric, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

IS_OPEN = "crm_deleted_at is null and (crm_state is null or crm_state = 'open')"
WAITING = "state in ('received', 'failed', 'claimed')"


def at_column(*, default: bool = False, nullable: bool = False) -> Any:
    """A column of aware UTC time; ``default`` is the database's clock at the insert."""
    server_default = func.clock_timestamp() if default else None
    return Column(DateTime(timezone=True), nullable=nullable, server_default=server_default)


class Batch(SQLModel, table=True):
    """Deliveries that one flow run takes together. Open until ``closed_at``.

    ``ended`` says why it was closed: ``settled`` by its run, ``returned`` to the inbox because the
    run died, or ``released`` because none was ever started.
    """

    __tablename__ = "batches"
    __table_args__ = (
        Index("batches_open", "deployment", postgresql_where=text("closed_at is null")),
        Index("batches_returned", "id", postgresql_where=text("ended = 'returned'")),
    )

    id: UUID = Field(primary_key=True)
    deployment: str
    size: int
    flow_run_id: UUID | None = Field(default=None, index=True)
    created_at: datetime = Field(sa_column=at_column(default=True))
    started_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    closed_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    ended: str | None = None


class Delivery(SQLModel, table=True):
    """One accepted webhook delivery; ``key`` makes the second copy of it a no-op.

    States: received → claimed → done | failed (again at ``due_at``) | dead (a person is told).
    One that failed later than now is due: the clock was put back.
    ``batch_limit`` is set by a crash: the next batch with this delivery is no larger.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_waiting", "deployment", "id", postgresql_where=text(WAITING)),
        Index("deliveries_lane", "lane", "id", postgresql_where=text(WAITING)),
        Index("deliveries_claimed", "id", postgresql_where=text("state = 'claimed'")),
        Index("deliveries_dead", "id", postgresql_where=text("state = 'dead'")),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    key: str = Field(unique=True)
    deployment: str
    source: str
    lane: str
    person: str
    message: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    raw: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(default="received", sa_column_kwargs={"server_default": "received"})
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    batch_limit: int | None = None
    due_at: datetime = Field(sa_column=at_column(default=True))
    failed_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    received_at: datetime = Field(sa_column=at_column(default=True))
    settled_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    batch_id: UUID | None = Field(default=None, foreign_key="batches.id", index=True)
    outcome: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    error: str | None = Field(default=None, sa_column=Column(Text))


class Lead(SQLModel, table=True):
    """A person's inquiry. ``origin`` (the message that opened it) is its natural key.

    ``version`` grows with every change; ``crm_version`` is the one that the CRM has.
    ``crm_linked`` marks a lead that the CRM already had: its fields are not ours to change.
    ``crm_stage`` and ``crm_state`` (open, won, lost; None: never seen there) are what people made
    of it there, as of ``crm_changed_at``. ``answered_at``: a person's first answer to it.
    """

    __tablename__ = "leads"
    __table_args__ = (
        Index("leads_person", "person", "last_message_at"),
        Index("leads_open", "id", postgresql_where=text(IS_OPEN)),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    origin: str = Field(unique=True)
    source: str
    person: str
    name: str | None = None
    phone: str | None = Field(default=None, index=True)
    email: str | None = Field(default=None, index=True)
    company: str | None = None
    intent: str | None = None
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 2)))
    currency: str | None = None
    urgency: str | None = None
    summary: str | None = Field(default=None, sa_column=Column(Text))
    language: str | None = None
    read_by: str = "rules"
    opened_at: datetime = Field(sa_column=at_column())
    last_message_at: datetime = Field(sa_column=at_column())
    version: int = 1
    crm_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    crm_linked: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    crm_version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    crm_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    crm_stage: str | None = None
    crm_state: str | None = None
    crm_changed_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    crm_deleted_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    answered_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    created_at: datetime = Field(sa_column=at_column(default=True))


class LeadMessage(SQLModel, table=True):
    """What a person wrote, once per message; an edit replaces the text.

    ``in_crm``: ``no`` until the CRM has the words, ``tried`` from the moment before they are
    sent (so that a lost answer is looked up), ``yes`` when it has them, ``refused`` when it
    never will.
    """

    __tablename__ = "lead_messages"
    __table_args__ = (
        Index("lead_messages_lead", "lead_id", "at"),
        Index("lead_messages_person", "person", "at"),
    )

    ref: str = Field(primary_key=True)
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    lead_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    person: str
    at: datetime = Field(sa_column=at_column())
    edited_at: datetime | None = Field(default=None, sa_column=at_column(nullable=True))
    text: str = Field(sa_column=Column(Text, nullable=False))
    inquiry: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    in_crm: str = Field(default="no", sa_column_kwargs={"server_default": "no"})


TABLES = SQLModel.metadata.tables
