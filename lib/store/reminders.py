"""Leads that may want a person, and what people were reminded of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from lib.domain.reminders import Watched
from lib.store.engine import Database
from lib.store.hold import Hold
from lib.store.tables import IS_OPEN

_WATCHED = text(
    f"""
    select l.id as lead_id, l.crm_id, l.name, l.intent, l.amount, l.currency, l.opened_at,
      s.band, s.score, l.answered_at, c.missed_at,
      array(select reason from reminders r where r.lead_id = l.id) as reminded
    from leads l left join scores s on s.lead_id = l.id
    left join lateral (
      select max(started_at) filter (where direction = 'in' and outcome <> 'answered') as missed_at,
        max(started_at) filter (where outcome = 'answered') as talked_at
      from calls where lead_id = l.id and started_at > :since
    ) t on true
    left join lateral (
      select t.missed_at where t.talked_at is null or t.talked_at < t.missed_at
    ) c on true
    where {IS_OPEN} and (l.opened_at > :since or c.missed_at is not null)
      and (c.missed_at is not null or s.band = 'hot' and l.answered_at is null)
    order by l.id
    """  # noqa: S608 — of our own words
)
_REMEMBER = text(
    """
    insert into reminders (lead_id, reason)
    select * from unnest(cast(:leads as bigint[]), cast(:reasons as text[]))
    on conflict do nothing
    """
)


class Reminders:
    """Queries for reminders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self) -> Hold:
        """One at a time reminds; raises Rejected when another does."""
        return Hold(self._database, "reminders")

    async def watched(self, since: datetime) -> list[Watched]:
        """Open leads with a call that was missed since then, or hot, new since then, unanswered."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_WATCHED, {"since": since})
            return [
                Watched(**dict(row._mapping) | {"reminded": frozenset(row.reminded)})
                for row in rows
            ]

    async def remember(self, told: Sequence[tuple[int, str]]) -> None:
        """Managers were told of these leads, for these reasons."""
        given = {"leads": [lead for lead, _ in told], "reasons": [reason for _, reason in told]}
        async with self._database.transaction() as connection:
            await connection.execute(_REMEMBER, given)
