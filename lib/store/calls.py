"""Telephone calls, one row each; up to where they were read; and the counts of leads.

A call's lead is found by the CRM's id. Where several leads of ours are one in the CRM, it is the
last of them that was opened before the call.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from lib.domain.calls import Call, Counts
from lib.store.engine import Database
from lib.store.events import CALLS, announce, event, lead_changed
from lib.store.lead_tables import Call as CallRow

WATERMARK = "calls"

_COLUMNS = (
    *("call_id", "activity_id", "entity_type", "entity_id", "lead_id", "phone"),
    *("direction", "outcome", "failed_code", "seconds", "started_at"),
)
_LEAD_OF = """
    lateral (
      select id, crm_id from leads where crm_id = any({crm_ids})
      order by opened_at <= {at} desc, case when opened_at <= {at} then opened_at end desc,
        opened_at, id limit 1
    ) l on true
"""

# A lead that is known stays: converted, its call is a contact's; placed anew, it has another id.
# By rising id, so that two counts at once wait for each other and never in a ring.
_SAVE = text(
    f"""
    with given as (
      select g.*, l.id as found_id, coalesce(l.crm_id, g.crm_ids[1]) as crm_id
      from jsonb_to_recordset(cast(:rows as jsonb)) as g(id bigint, call_id text,
        activity_id bigint, entity_type text, entity_id bigint, crm_ids bigint[], phone text,
        direction text, outcome text, failed_code text, seconds int, started_at timestamptz)
      left join {_LEAD_OF.format(crm_ids="g.crm_ids", at="g.started_at")}
    ), wanted as (
      select g.id, g.call_id, g.activity_id, g.phone, g.direction, g.outcome, g.failed_code,
        g.seconds, g.started_at, c.lead_id as before_id, c.id is null as is_new,
        case when g.crm_id is not null or c.entity_type = 'LEAD' then 'LEAD'
          else g.entity_type end as entity_type,
        coalesce(g.crm_id, case when c.entity_type = 'LEAD' then c.entity_id end, g.entity_id)
          as entity_id,
        coalesce(g.found_id, case when g.crm_id is null or g.crm_id = c.entity_id
          then c.lead_id end) as lead_id
      from given g left join calls c on c.id = g.id
    ), saved as (
      insert into calls as old (id, {", ".join(_COLUMNS)})
      select id, {", ".join(_COLUMNS)} from wanted order by id
      on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}
      where ({", ".join(f"old.{name}" for name in _COLUMNS)})
        is distinct from ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
      returning id, lead_id
    )
    select s.lead_id, w.before_id, w.is_new from saved s join wanted w on w.id = s.id
    """  # noqa: S608 — of our own words
)

_ADOPT = text(
    f"""
    with orphans as (
      select c.id, l.id as lead_id from calls c
      join {_LEAD_OF.format(crm_ids="array[c.entity_id]", at="c.started_at")}
      where c.lead_id is null and c.entity_type = 'LEAD'
        and c.entity_id in (select crm_id from leads where crm_id is not null)
      order by c.id
    )
    update calls c set lead_id = o.lead_id from orphans o where c.id = o.id
    returning c.lead_id
    """  # noqa: S608 — of our own words
)

_ANSWERED = text(
    """
    update leads l set answered_at = f.at
    from (
      select c.lead_id, min(c.started_at) as at from calls c join leads o on o.id = c.lead_id
      where c.lead_id = any(:ids) and c.outcome = 'answered' and c.started_at >= o.opened_at
        and o.answered_at is null
      group by c.lead_id
    ) f
    where l.id = f.lead_id and l.answered_at is null
    """
)

_MOVE_ON = text(
    """
    insert into watermarks as w (name, at) values (:name, :at)
    on conflict (name) do update set at = greatest(w.at, excluded.at)
    """
)
_SET_BACK = text(
    """
    insert into watermarks as w (name, at) values (:name, :at)
    on conflict (name) do update set at = least(w.at, excluded.at)
    """
)
_CATCH_UP = text(
    """
    update watermarks set at = greatest(at,
      (select max(started_at) from calls where started_at <= :now))
    where name = :name
    """
)
_WHERE_READ = text(
    "select (select at from watermarks where name = :name) as at, max(id) as last_id from calls"
)

_COUNTS = """
    select lead_id, count(*) filter (where direction = 'in') as incoming,
      count(*) filter (where direction = 'out') as outgoing,
      count(*) filter (where outcome = 'missed') as missed,
      sum(seconds) as seconds, max(started_at) as last_at
    from calls where {which} group by lead_id
"""
_COUNTS_OF_THESE = text(_COUNTS.format(which="lead_id = any(:ids)"))
_COUNTS_OF_ALL = text(_COUNTS.format(which="lead_id is not null"))

_FOR_CRM = text(
    """
    select o.crm_id, array_agg(distinct o.id) as lead_ids,
      (select count(*) from calls c join leads l on l.id = c.lead_id where l.crm_id = o.crm_id)
        as calls
    from leads o
    where o.id = any(:ids) and o.crm_id is not null and o.crm_deleted_at is null
    group by o.crm_id order by o.crm_id
    """
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What storing calls has changed.

    Attributes:
        new: calls that were not here before.
        lead_ids: leads whose calls are others now.
    """

    new: int
    lead_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class WhereRead:
    """How far the statistic was read: the start of the newest call, and the greatest id."""

    at: datetime | None
    last_id: int | None


@dataclass(frozen=True, slots=True)
class CrmCount:
    """What the CRM is to be told of one of its leads, which may be several of ours."""

    crm_id: int
    lead_ids: tuple[int, ...]
    calls: int


class Calls:
    """Queries on calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def where_read(self) -> WhereRead:
        """How far the statistic was read."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_WHERE_READ, {"name": WATERMARK})).one()
        return WhereRead(row.at, row.last_id)

    async def set_back(self, at: datetime) -> None:
        """Let everything since a moment be read again; the watermark is never set forward."""
        async with self._database.transaction() as connection:
            await connection.execute(_SET_BACK, {"name": WATERMARK, "at": at})

    async def catch_up(self, now: datetime) -> None:
        """Set the watermark to the newest call: what was to be read again has been."""
        async with self._database.transaction() as connection:
            await connection.execute(_CATCH_UP, {"name": WATERMARK, "now": now})

    async def save(self, calls: Sequence[Call], watermark: datetime | None = None) -> Saved:
        """Insert calls or update them by their ids, in one transaction with all that follows.

        What follows: the leads' first answers, events of the leads that have changed, for the
        scoring and for the CRM's count, and the watermark. Calls that are as they were change
        nothing.

        Args:
            calls: each id once.
            watermark: up to where everything was read, once these are stored; None: as before.
        """
        async with self._database.transaction() as connection:
            rows: Sequence[Row[Any]] = []
            if calls:
                given = orjson.dumps(list(calls)).decode()
                rows = (await connection.execute(_SAVE, {"rows": given})).all()
            changed = {lead for row in rows for lead in (row.lead_id, row.before_id) if lead}
            await _follow(connection, changed)
            if watermark is not None:
                await connection.execute(_MOVE_ON, {"name": WATERMARK, "at": watermark})
        return Saved(sum(row.is_new for row in rows), frozenset(changed))

    async def adopt(self) -> frozenset[int]:
        """Give leads the calls that were counted before we knew the lead; the leads that got some.

        A lead that the CRM had before us is such a one.
        """
        async with self._database.transaction() as connection:
            changed = {row.lead_id for row in await connection.execute(_ADOPT)}
            await _follow(connection, changed)
        return frozenset(changed)

    async def counts(self, lead_ids: Collection[int] | None = None) -> dict[int, Counts]:
        """The counts of these leads, or of all; a lead without calls is missing."""
        statement = _COUNTS_OF_ALL if lead_ids is None else _COUNTS_OF_THESE
        given = {} if lead_ids is None else {"ids": list(lead_ids)}
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement, given)).all()
        names = ("incoming", "outgoing", "missed", "seconds", "last_at")
        return {row.lead_id: Counts(*(getattr(row, name) for name in names)) for row in rows}

    async def for_crm(self, lead_ids: Collection[int]) -> list[CrmCount]:
        """What the CRM is to be told of these leads; of those that are there."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_FOR_CRM, {"ids": list(lead_ids)})
            return [CrmCount(row.crm_id, tuple(row.lead_ids), row.calls) for row in rows]

    async def newest(self, lead_id: int, limit: int = 20) -> list[CallRow]:
        """The newest calls of a lead."""
        statement = (
            select(*CallRow.__table__.columns)  # type: ignore[attr-defined]
            .where(col(CallRow.lead_id) == lead_id)
            .order_by(col(CallRow.started_at).desc(), col(CallRow.id).desc())
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            return [CallRow(**row._mapping) for row in await connection.execute(statement)]


async def _follow(connection: AsyncConnection, lead_ids: Collection[int]) -> None:
    """What comes of it that the calls of leads have changed."""
    if not lead_ids:
        return
    ids = sorted(lead_ids)
    await connection.execute(_ANSWERED, {"ids": ids})
    mark = (await connection.execute(text("select pg_current_xact_id()::text"))).scalar_one()
    cause = f"calls:{mark}"  # each change of its own, and none without its change
    await announce(
        connection,
        [
            *(lead_changed(lead_id, cause) for lead_id in ids),
            *(event(CALLS, f"lead:{lead_id}", {"lead_id": lead_id}, cause) for lead_id in ids),
        ],
    )
