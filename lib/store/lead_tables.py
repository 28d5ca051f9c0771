"""What is known about a lead beside its messages: calls, score, reminders; and how far we read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from lib.store.tables import at_column


def _of_lead(*, primary_key: bool = False) -> Any:
    return Column(BigInteger, ForeignKey("leads.id"), primary_key=primary_key, autoincrement=False)


class Call(SQLModel, table=True):
    """One telephone call, by the id that the portal's statistic gives it.

    ``entity_type`` and ``entity_id`` are what the portal bound it to; ``lead_id`` is our lead.
    ``direction``: in, out. ``outcome``: answered, missed (nobody took it), failed.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("calls_lead", "lead_id", "started_at"),
        Index("calls_started", "started_at"),
    )

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    call_id: str | None = None
    activity_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    entity_type: str | None = None
    entity_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    lead_id: int | None = Field(default=None, sa_column=_of_lead())
    phone: str | None = None
    direction: str
    outcome: str
    failed_code: str | None = None
    seconds: int
    started_at: datetime = Field(sa_column=at_column())
    seen_at: datetime = Field(sa_column=at_column(default=True))


class Score(SQLModel, table=True):
    """How promising a lead is, and why. ``crm_score`` and ``crm_band`` are what the CRM was told.

    ``rules`` is the version of the rules, ``inputs`` the features they were given.
    """

    __tablename__ = "scores"

    lead_id: int = Field(sa_column=_of_lead(primary_key=True))
    score: int = Field(sa_column=Column(SmallInteger, nullable=False))
    band: str
    rules: str
    inputs: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    reasons: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    scored_at: datetime = Field(sa_column=at_column(default=True))
    crm_score: int | None = Field(default=None, sa_column=Column(SmallInteger))
    crm_band: str | None = None


class Watermark(SQLModel, table=True):
    """Up to which moment of a vendor's data everything was read."""

    __tablename__ = "watermarks"

    name: str = Field(primary_key=True)
    at: datetime = Field(sa_column=at_column())


class Reminder(SQLModel, table=True):
    """What the managers were told of a lead, so that they are told once."""

    __tablename__ = "reminders"

    lead_id: int = Field(sa_column=_of_lead(primary_key=True))
    reason: str = Field(primary_key=True)
    told_at: datetime = Field(sa_column=at_column(default=True))
