"""Leads and the messages they are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from lib.domain.inbound import InboundMessage
from lib.domain.inquiry import Inquiry
from lib.domain.lead_texts import words_of
from lib.domain.leads import LEAD_OPEN_FOR, LeadState, grow, open_lead
from lib.store.engine import Database
from lib.store.tables import Lead, LeadMessage

STATE_COLUMNS: list[Any] = [col(getattr(Lead, name)) for name in LeadState.model_fields]
_CRM = {"crm_id", "crm_version", "crm_linked"}  # only ``lib.store.filings`` writes these
_KEPT = {"id", "origin", "source", "person", "opened_at"} | _CRM

# What a person wrote before it was clear that it is an inquiry belongs to the inquiry.
_ADOPT = text(
    """
    update lead_messages m set lead_id = l.id from leads l
    where l.origin = any(:origins) and m.person = l.person and m.lead_id is null
      and m.at between l.opened_at - interval '1 day' and l.opened_at
      and m.inquiry ->> 'why' <> 'spam'
    """
)


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message whose inquiry was read."""

    delivery_id: int
    message: InboundMessage
    inquiry: Inquiry


class _Ledger:
    """The leads that a transaction has loaded and changed."""

    def __init__(self, leads: Iterable[LeadState], known: dict[str, Any]) -> None:
        self.by_origin = {lead.origin: lead for lead in leads}
        self._known = known
        self.changed: dict[str, LeadState] = {}

    def place(self, read: ReadMessage) -> str | None:
        """The origin of the lead that a message belongs to, which it has opened or grown."""
        message = read.message
        known = self._known.get(message.ref)
        own = self._by_id(known.lead_id) if known is not None else None
        if known is not None and not _is_newer(message, known):
            return own.origin if own else None
        theirs = [lead for lead in self.by_origin.values() if lead.person == message.person]
        before = own or open_lead(theirs, message.person, message.occurred_at)
        after = grow(before, message, read.inquiry)
        if after is None:
            return None
        if after != before:
            self.by_origin[after.origin] = self.changed[after.origin] = after
        return after.origin

    def _by_id(self, lead_id: int | None) -> LeadState | None:
        return (
            next((s for s in self.by_origin.values() if s.id == lead_id), None) if lead_id else None
        )


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
            known = await _known_messages(connection, [m.message.ref for m in messages])
            ledger = _Ledger(await _leads_of(connection, messages, known), known)
            origins = {m.delivery_id: ledger.place(m) for m in messages}
            new = [o for o, lead in ledger.changed.items() if lead.id is None]
            ledger.by_origin |= await _save(connection, ledger.changed.values())
            leads = {d: ledger.by_origin[o] if o else None for d, o in origins.items()}
            await _keep_words(connection, messages, leads)
            if new:
                await connection.execute(_ADOPT, {"origins": new})
        return leads

    async def newest(self, limit: int = 50, person: str | None = None) -> list[Lead]:
        """The leads that changed last."""
        statement = select(*Lead.__table__.columns).order_by(  # type: ignore[attr-defined]
            col(Lead.last_message_at).desc(), col(Lead.id).desc()
        )
        if person:
            statement = statement.where(col(Lead.person) == person)
        async with self._database.transaction() as connection:
            rows = await connection.execute(statement.limit(limit))
            return [Lead.model_validate(dict(row._mapping)) for row in rows]

    async def show(self, lead_id: int) -> tuple[Lead, list[LeadMessage]] | None:
        """A lead with what the person wrote, or None."""
        lead = select(*Lead.__table__.columns).where(col(Lead.id) == lead_id)  # type: ignore[attr-defined]
        messages = (
            select(*LeadMessage.__table__.columns)  # type: ignore[attr-defined]
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


async def _known_messages(connection: AsyncConnection, refs: Sequence[str]) -> dict[str, Any]:
    columns = (LeadMessage.ref, LeadMessage.lead_id, LeadMessage.edited_at)
    rows = await connection.execute(
        select(*(col(c) for c in columns)).where(col(LeadMessage.ref).in_(refs))
    )
    return {row.ref: row for row in rows}


async def _leads_of(
    connection: AsyncConnection, messages: Sequence[ReadMessage], known: dict[str, Any]
) -> list[LeadState]:
    """The leads that these messages may belong to, locked."""
    earliest = min(m.message.occurred_at for m in messages) - LEAD_OPEN_FOR
    recent: ColumnElement[bool] = col(Lead.person).in_({m.message.person for m in messages}) & (
        col(Lead.last_message_at) >= earliest
    )
    own = col(Lead.id).in_([row.lead_id for row in known.values() if row.lead_id])
    statement = select(*STATE_COLUMNS).where(recent | own).order_by(col(Lead.id)).with_for_update()
    rows = await connection.execute(statement)
    return [LeadState.model_validate(dict(row._mapping)) for row in rows]


async def _save(
    connection: AsyncConnection, changed: Collection[LeadState]
) -> dict[str, LeadState]:
    """Insert or update the changed leads in one statement."""
    if not changed:
        return {}
    rows = [lead.model_dump(exclude={"id"} | _CRM) for lead in changed]
    statement = insert(Lead).values(rows)
    fields = {
        name: statement.excluded[name] for name in LeadState.model_fields if name not in _KEPT
    }
    upsert = statement.on_conflict_do_update(index_elements=["origin"], set_=fields).returning(
        *STATE_COLUMNS
    )
    saved = [
        LeadState.model_validate(dict(row._mapping)) for row in await connection.execute(upsert)
    ]
    return {lead.origin: lead for lead in saved}


async def _keep_words(
    connection: AsyncConnection,
    messages: Sequence[ReadMessage],
    leads: dict[int, LeadState | None],
) -> None:
    """Keep what was written; of two edits of one message the newer counts."""
    rows: dict[str, dict[str, Any]] = {}
    for read in messages:
        message, lead = read.message, leads[read.delivery_id]
        if message.kind == "deleted":  # there, not here: what was said was said
            continue
        rows[message.ref] = {
            "ref": message.ref,
            "delivery_id": read.delivery_id,
            "lead_id": lead.id if lead else None,
            "person": message.person,
            "at": message.occurred_at,
            "edited_at": message.message.edited_at,
            "text": words_of(message),
            "inquiry": read.inquiry.model_dump(mode="json"),
        }
    if not rows:
        return
    statement = insert(LeadMessage).values(list(rows.values()))
    new = statement.excluded
    is_newer = func.coalesce(new.edited_at, new.at) >= func.coalesce(
        col(LeadMessage.edited_at), col(LeadMessage.at)
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["ref"],
            set_={
                "delivery_id": new.delivery_id,
                "lead_id": func.coalesce(new.lead_id, col(LeadMessage.lead_id)),
                "edited_at": new.edited_at,
                "text": new.text,
                "inquiry": new.inquiry,
            },
            where=is_newer,
        )
    )


def _is_newer(message: InboundMessage, known: Any) -> bool:
    edited_at = message.message.edited_at
    return edited_at is not None and (known.edited_at is None or edited_at > known.edited_at)
