"""What the CRM has of our leads, and what it still has to be given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, text, update
from sqlmodel import col

from lib.domain.leads import LeadState
from lib.domain.placement import Filing, InCrm, Placement, Words
from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.leads import STATE_COLUMNS
from lib.store.moves import tell_anew
from lib.store.tables import Delivery, Lead, LeadMessage

_RECORD = text(
    """
    update leads l set crm_id = p.crm_id, crm_linked = l.crm_linked or p.linked,
      crm_version = p.version, crm_at = coalesce(l.crm_at, clock_timestamp()),
      crm_deleted_at = null
    from unnest(cast(:ids as bigint[]), cast(:crm_ids as bigint[]), cast(:versions as int[]),
      cast(:linked as bool[])) as p(id, crm_id, version, linked)
      join leads old on old.id = p.id
    where l.id = p.id
    returning l.id, old.crm_id is distinct from l.crm_id as moved
    """
)


class Filings:
    """Leads on their way into the CRM."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, lead_ids: Sequence[int]) -> list[Filing]:
        """These leads as they are now, each with the words that the CRM does not surely have.

        Of a lead that is not known to be there none is sure to be, whatever was noted.
        """
        leads = select(*STATE_COLUMNS).where(col(Lead.id).in_(lead_ids)).order_by(col(Lead.id))
        unsaid = col(LeadMessage.in_crm).in_(("no", "tried"))
        in_doubt = col(Lead.crm_id).is_(None) & (col(LeadMessage.in_crm) == "yes")
        is_heard = col(Delivery.message)["is_heard"].as_boolean()
        words = (
            select(LeadMessage, is_heard.is_(True).label("is_heard"))
            .join(Lead, col(Lead.id) == col(LeadMessage.lead_id))
            .outerjoin(Delivery, col(Delivery.id) == col(LeadMessage.delivery_id))
            .where(col(LeadMessage.lead_id).in_(lead_ids), unsaid | in_doubt)
            .order_by(col(LeadMessage.at), col(LeadMessage.ref))
        )
        by_lead: defaultdict[int, list[Words]] = defaultdict(list)
        async with self._database.transaction() as connection:
            states = (await connection.execute(leads)).all()
            for row in await connection.execute(words):
                in_crm: InCrm = "no" if row.in_crm == "no" else "tried"
                said = Words(row.ref, row.at, row.text, in_crm, row.is_heard)
                by_lead[row.lead_id].append(said)
        return [
            Filing(LeadState.model_validate(dict(row._mapping)), tuple(by_lead[row.id]))
            for row in states
        ]

    async def mark_tried(self, placements: Sequence[Placement]) -> None:
        """Note, before it is sent, what is about to be sent: a lost answer is looked up later."""
        refs = [
            words.ref
            for placement in placements
            for words in (
                placement.filing.words if placement.action == "add" else placement.comments
            )
        ]
        if refs:
            async with self._database.transaction() as connection:
                await connection.execute(
                    update(LeadMessage).where(col(LeadMessage.ref).in_(refs)).values(in_crm="tried")
                )

    async def forget(self, lead_ids: Sequence[int]) -> None:
        """These leads are in the CRM no more, and so none of their words is.

        What it refused stays refused: in a new lead's comment it would take the lead down with it.
        """
        unfiled = {"crm_id": None, "crm_version": 0, "crm_linked": False}
        words = col(LeadMessage.lead_id).in_(lead_ids) & (col(LeadMessage.in_crm) != "refused")
        async with self._database.transaction() as connection:
            await connection.execute(update(Lead).where(col(Lead.id).in_(lead_ids)).values(unfiled))
            await connection.execute(update(LeadMessage).where(words).values(in_crm="no"))

    async def record(self, placements: Sequence[Placement], placed: Mapping[str, Any]) -> None:
        """Note which lead is where, and which words are there."""
        done = [(p, placed[p.filing.lead.origin]) for p in placements]
        done = [(p, result) for p, result in done if result.crm_id is not None]
        now: dict[str, list[str]] = {
            "yes": [ref for _, result in done for ref in result.commented],
            # Sent again it would be refused again, and take every later message down with it.
            "refused": [
                ref
                for _, result in done
                for ref, error in result.unsaid.items()
                if isinstance(error, Rejected)
            ],
        }
        async with self._database.transaction() as connection:
            recorded = await connection.execute(
                _RECORD,
                {
                    "ids": [p.filing.lead.id for p, _ in done],
                    "crm_ids": [result.crm_id for _, result in done],
                    "versions": [p.filing.lead.version for p, _ in done],
                    "linked": [p.action == "link" for p, _ in done],
                },
            )
            await tell_anew(connection, [row.id for row in recorded if row.moved])
            for in_crm, refs in now.items():
                await connection.execute(
                    update(LeadMessage).where(col(LeadMessage.ref).in_(refs)).values(in_crm=in_crm)
                )
