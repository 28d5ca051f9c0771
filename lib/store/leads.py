"""Leads and the messages they are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from lib.domain.inbound import InboundMessage
from lib.domain.inquiry import Inquiry
from lib.domain.lead_texts import words_of
from lib.domain.leads import LEAD_OPEN_FOR, LeadState, grow, open_lead
from lib.store.engine import Database
from lib.store.lead_rows import doubt_told, save_leads, save_words
from lib.store.tables import TABLES, Batch, Delivery, Lead, LeadMessage

STATE_COLUMNS: list[Any] = [col(getattr(Lead, name)) for name in LeadState.model_fields]

# A run that lost its batch may still be at work: the same person's leads change one at a time.
_LOCK_PEOPLE = text(
    """
    select pg_advisory_xact_lock(hashtextextended(p, 1))
    from (select p from unnest(cast(:people as text[])) as p order by p) as ordered
    """
)

# What a person wrote before it was clear that it is an inquiry belongs to the inquiry.
ADOPTED_FOR = timedelta(days=1)

_ADOPT = text(
    """
    update lead_messages m set lead_id = l.id from leads l
    where l.origin = any(:origins) and m.person = l.person and m.lead_id is null
      and m.at between l.opened_at - :since and l.opened_at
      and m.inquiry ->> 'why' <> 'spam' and m.ref <> all(:refs)
    """
)


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message whose inquiry was read."""

    delivery_id: int
    message: InboundMessage
    inquiry: Inquiry


_Version = tuple[bool, float, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The newest version of a message that was taken in, and the origin of its lead."""

    version: _Version
    origin: str | None
    person: str
    at: datetime
    why: str


class _Ledger:
    """The leads that a transaction has loaded and changed."""

    def __init__(self, leads: Sequence[LeadState], known: Iterable[Any]) -> None:
        self.by_origin = {lead.origin: lead for lead in leads}
        self.changed: dict[str, LeadState] = {}
        origins = {lead.id: lead.origin for lead in leads}
        self._seen = {
            row.ref: _Seen(
                _version(row.edited_at, row.delivery_id),
                *(origins.get(row.lead_id), row.person, row.at, row.why),
            )
            for row in known
        }

    def lead_of(self, ref: str) -> LeadState | None:
        """The lead that a message's words belong to."""
        origin = self._seen[ref].origin
        return self.by_origin[origin] if origin else None

    def place(self, read: ReadMessage) -> str | None:
        """The origin of the lead that a message belongs to, which it has opened or grown."""
        message, version = read.message, _version_of(read)
        seen = self._seen.get(message.ref)
        if seen is not None and seen.version >= version:
            if message.kind != "deleted":
                at = min(message.occurred_at, seen.at)
                self._seen[message.ref] = replace(seen, at=at)
            return seen.origin
        own = self.by_origin[seen.origin] if seen and seen.origin else None
        theirs = [lead for lead in self.by_origin.values() if lead.person == message.person]
        before = own or open_lead(theirs, message.person, message.occurred_at, message.ref)
        after = grow(before, message, read.inquiry)
        if after is not None and after != before:
            self.by_origin[after.origin] = self.changed[after.origin] = after
        origin = after.origin if after else None
        if message.kind != "deleted":
            at = min(message.occurred_at, seen.at) if seen else message.occurred_at
            # Words that turned to spam stay where they were.
            place = origin or (own.origin if own else None)
            self._seen[message.ref] = _Seen(version, place, message.person, at, read.inquiry.why)
        if after is not None and before is None:
            self._adopt(after)
        return origin

    def _adopt(self, lead: LeadState) -> None:
        """What ``_ADOPT`` does, for what this transaction takes in."""
        since = lead.opened_at - ADOPTED_FOR
        for ref, seen in self._seen.items():
            is_theirs = seen.origin is None and seen.person == lead.person
            if is_theirs and since <= seen.at <= lead.opened_at and seen.why != "spam":
                self._seen[ref] = replace(seen, origin=lead.origin)


class Leads:
    """Queries on leads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def inquiries(self, delivery_ids: Collection[int]) -> dict[int, Inquiry]:
        """The inquiries that were read from these deliveries before, by delivery id."""
        statement = select(col(LeadMessage.delivery_id), col(LeadMessage.inquiry)).where(
            col(LeadMessage.delivery_id).in_(delivery_ids)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement)).all()
        return {row.delivery_id: Inquiry.model_validate(row.inquiry) for row in rows}

    async def grow(self, messages: Sequence[ReadMessage]) -> dict[int, LeadState | None]:
        """Open or grow the leads of these messages, in one transaction; safe to repeat.

        Returns:
            By delivery id, the lead that the message belongs to; None when it makes none.
        """
        if not messages:
            return {}
        async with self._database.transaction() as connection:
            people = list({m.message.person for m in messages})
            await connection.execute(_LOCK_PEOPLE, {"people": people})
            known = await _known_messages(connection, [m.message.ref for m in messages])
            ledger = _Ledger(await _leads_of(connection, messages, known), known)
            origins = {m.delivery_id: ledger.place(m) for m in messages}
            new = [o for o, lead in ledger.changed.items() if lead.id is None]
            ledger.by_origin |= await save_leads(connection, ledger.changed.values())
            leads = {d: ledger.by_origin[o] if o else None for d, o in origins.items()}
            await _keep_words(connection, messages, ledger)
            if new:
                refs = [m.message.ref for m in messages if m.message.kind != "deleted"]
                given = {"origins": new, "since": ADOPTED_FOR, "refs": refs}
                await connection.execute(_ADOPT, given)
        return leads

    async def newest(self, limit: int = 50, person: str | None = None) -> list[Lead]:
        """The leads that changed last."""
        statement = select(*TABLES["leads"].columns).order_by(
            col(Lead.last_message_at).desc(), col(Lead.id).desc()
        )
        if person:
            statement = statement.where(col(Lead.person) == person)
        async with self._database.transaction() as connection:
            rows = await connection.execute(statement.limit(limit))
            return [Lead.model_validate(dict(row._mapping)) for row in rows]

    async def show(self, lead_id: int) -> tuple[Lead, list[LeadMessage]] | None:
        """A lead with what the person wrote, or None."""
        lead = select(*TABLES["leads"].columns).where(col(Lead.id) == lead_id)
        messages = (
            select(*TABLES["lead_messages"].columns)
            .where(col(LeadMessage.lead_id) == lead_id)
            .order_by(col(LeadMessage.at))
        )
        async with self._database.transaction() as connection:
            found = (await connection.execute(lead)).first()
            rows = (await connection.execute(messages)).all()
        if found is None:
            return None
        return Lead.model_validate(dict(found._mapping)), [
            LeadMessage.model_validate(dict(row._mapping)) for row in rows
        ]

    async def flow_runs(self, lead_id: int) -> list[UUID]:
        """The flow runs that read this lead's messages, oldest first."""
        messages = select(col(LeadMessage.delivery_id)).where(col(LeadMessage.lead_id) == lead_id)
        statement = (
            select(col(Batch.flow_run_id))
            .join(Delivery, col(Delivery.batch_id) == col(Batch.id))
            .where(col(Delivery.id).in_(messages), col(Batch.flow_run_id).is_not(None))
            .group_by(col(Batch.id))
            .order_by(col(Batch.created_at))
        )
        async with self._database.transaction() as connection:
            return [run for run in (await connection.execute(statement)).scalars() if run]


async def _known_messages(connection: AsyncConnection, refs: Sequence[str]) -> Sequence[Any]:
    names = ("ref", "lead_id", "edited_at", "delivery_id", "person", "at")
    columns: list[Any] = [col(getattr(LeadMessage, name)) for name in names]
    columns.append(col(LeadMessage.inquiry)["why"].astext.label("why"))
    rows = await connection.execute(select(*columns).where(col(LeadMessage.ref).in_(refs)))
    return rows.all()


async def _leads_of(
    connection: AsyncConnection, messages: Sequence[ReadMessage], known: Sequence[Any]
) -> list[LeadState]:
    """The leads that these messages may belong to, locked."""
    earliest = min(m.message.occurred_at for m in messages) - LEAD_OPEN_FOR
    recent: ColumnElement[bool] = col(Lead.person).in_({m.message.person for m in messages}) & (
        col(Lead.last_message_at) >= earliest
    )
    own = col(Lead.id).in_([row.lead_id for row in known if row.lead_id])
    statement = select(*STATE_COLUMNS).where(recent | own).order_by(col(Lead.id)).with_for_update()
    rows = await connection.execute(statement)
    return [LeadState.model_validate(dict(row._mapping)) for row in rows]


async def _keep_words(
    connection: AsyncConnection,
    messages: Sequence[ReadMessage],
    ledger: _Ledger,
) -> None:
    """Keep what was written; of two versions of one message the newer counts.

    A deletion takes nothing back: what a person wrote to us was written.
    """
    rows: dict[str, dict[str, Any]] = {}
    written = [read for read in messages if read.message.kind != "deleted"]
    for read in sorted(written, key=_version_of):
        message, lead = read.message, ledger.lead_of(read.message.ref)
        before = rows.get(message.ref, {"at": message.occurred_at})
        rows[message.ref] = {
            "ref": message.ref,
            "delivery_id": read.delivery_id,
            "lead_id": lead.id if lead else None,
            "person": message.person,
            "at": min(message.occurred_at, before["at"]),
            "edited_at": message.message.edited_at,
            "text": words_of(message),
            "inquiry": read.inquiry.model_dump(mode="json"),
        }
    heard = {read.message.ref: read.delivery_id for read in written if read.message.is_heard}
    await doubt_told(connection, heard)
    await save_words(connection, rows.values())


def _version_of(read: ReadMessage) -> _Version:
    return _version(read.message.message.edited_at, read.delivery_id)


def _version(edited_at: datetime | None, delivery_id: int) -> _Version:
    """What orders the versions of a message; edits of the same second go as they came."""
    return edited_at is not None, edited_at.timestamp() if edited_at else 0.0, delivery_id
