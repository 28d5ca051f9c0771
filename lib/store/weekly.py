"""The leads of a week, with what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from lib.domain.weekly import DAYS, LeadOfWeek
from lib.store.engine import Database

_LEADS = text(
    """
    select l.source, l.opened_at, s.band, l.crm_state as state, count(c.id) as calls,
      min(c.started_at) filter (where c.started_at >= l.opened_at) as first_call_at
    from leads l left join scores s on s.lead_id = l.id left join calls c on c.lead_id = l.id
    where l.opened_at >= :start and l.opened_at < :end
    group by l.id, s.lead_id order by l.id
    """
)
_COUNT = text("select count(*) from leads where opened_at >= :start and opened_at < :end")


async def leads_of_week(database: Database, start: datetime) -> tuple[list[LeadOfWeek], int]:
    """The leads opened in the seven days from a moment on, and how many in the seven before."""
    week = timedelta(days=DAYS)
    async with database.transaction() as connection:
        rows = await connection.execute(_LEADS, {"start": start, "end": start + week})
        leads = [LeadOfWeek(**row._mapping) for row in rows]
        before = await connection.execute(_COUNT, {"start": start - week, "end": start})
        return leads, int(before.scalar_one())
