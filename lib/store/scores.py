"""Scores of leads: the facts they are made of, what was found, and what the CRM was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, select, text
from sqlmodel import col

from lib.domain.score_news import UNKNOWN, Untold
from lib.domain.scoring import Reason, Scored
from lib.domain.scoring_features import LeadFacts, Value
from lib.store.engine import Database
from lib.store.hold import Hold
from lib.store.lead_tables import Score
from lib.store.tables import IS_OPEN

PAGE = 2_000

_FACTS = f"""
    select l.id as lead_id, l.source, l.last_message_at, l.name, l.phone, l.email, l.company,
      l.intent, l.amount, l.currency, l.urgency,
      (select count(*) from lead_messages m where m.lead_id = l.id) as messages,
      c.calls_in_answered, c.calls_out_answered, c.calls_in_missed, c.calls_out_failed,
      o.open_twins, o.won_before
    from leads l,
    lateral (
      select count(*) filter (where direction = 'in' and outcome = 'answered') as calls_in_answered,
        count(*) filter (where direction = 'out' and outcome = 'answered') as calls_out_answered,
        count(*) filter (where direction = 'in' and outcome <> 'answered') as calls_in_missed,
        count(*) filter (where direction = 'out' and outcome <> 'answered') as calls_out_failed
      from calls where lead_id = l.id
    ) c,
    lateral (
      select count(*) filter (where {IS_OPEN}) as open_twins,
        count(*) filter (where crm_state = 'won') as won_before
      from (
        select id, crm_state, crm_deleted_at from leads where phone = l.phone
        union select id, crm_state, crm_deleted_at from leads where email = l.email
      ) as same where same.id <> l.id
    ) o
    where {{which}} order by l.id
"""  # noqa: S608 — of our own words
_OF_THESE = text(_FACTS.format(which="l.id = any(:ids)"))
_OPEN = text(_FACTS.format(which=f"l.id > :after and {IS_OPEN}") + " limit :limit")
_ALL = text(_FACTS.format(which="l.id > :after") + " limit :limit")

_SAVE = text(
    """
    insert into scores (lead_id, score, band, rules, inputs, reasons)
    select lead_id, score, band, rules, inputs, reasons
    from jsonb_to_recordset(cast(:rows as jsonb)) as g(lead_id bigint, score smallint, band text,
      rules text, inputs jsonb, reasons jsonb)
    on conflict (lead_id) do update set score = excluded.score, band = excluded.band,
      rules = excluded.rules, inputs = excluded.inputs, reasons = excluded.reasons,
      scored_at = clock_timestamp()
    """
)

_UNTOLD = """
    select s.lead_id, l.crm_id, s.score, s.band, s.reasons, s.crm_band
    from scores s join leads l on l.id = s.lead_id
    where l.crm_id is not null and l.crm_deleted_at is null
      and (s.score is distinct from s.crm_score or s.band is distinct from s.crm_band)
      and {which} order by s.lead_id limit :limit
"""
_UNTOLD_OF_THESE = text(_UNTOLD.format(which="s.lead_id = any(:ids) and s.lead_id > :after"))
_UNTOLD_OF_ALL = text(_UNTOLD.format(which="s.lead_id > :after"))

_TELLING = text(
    "update scores set crm_band = :unknown || coalesce(ltrim(crm_band, :unknown), '') "
    "where lead_id = any(:ids)"
)
_TOLD = text(
    """
    update scores s set crm_score = t.score, crm_band = t.band
    from jsonb_to_recordset(cast(:rows as jsonb)) as t(lead_id bigint, score smallint, band text)
    where s.lead_id = t.lead_id
    """
)


class Scores:
    """Queries on scores."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self, lead_ids: Collection[int]) -> list[LeadFacts]:
        """What is known of these leads, by rising id; of those that are there."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_OF_THESE, {"ids": list(lead_ids)})
            return [LeadFacts(**row._mapping) for row in rows]

    async def all_facts(self, *, only_open: bool) -> AsyncIterator[list[LeadFacts]]:
        """The same of every lead, or of the open ones, by pages."""
        statement, after = _OPEN if only_open else _ALL, 0
        while True:
            async with self._database.transaction() as connection:
                rows = await connection.execute(statement, {"after": after, "limit": PAGE})
                page = [LeadFacts(**row._mapping) for row in rows]
            if not page:
                return
            yield page
            after = page[-1].lead_id

    async def save(
        self, scored: Mapping[int, tuple[Mapping[str, Value], Scored]], rules: str
    ) -> None:
        """Keep scores, by lead, with the features they were given and the rules' version."""
        rows = [
            {
                "lead_id": lead_id,
                "score": found.score,
                "band": found.band,
                "rules": rules,
                "inputs": features,
                "reasons": [[reason.points, reason.why] for reason in found.reasons],
            }
            for lead_id, (features, found) in scored.items()
        ]
        async with self._database.transaction() as connection:
            await connection.execute(_SAVE, {"rows": orjson.dumps(rows).decode()})

    async def untold(
        self, lead_ids: Collection[int] | None, after: int, limit: int
    ) -> list[Untold]:
        """What the CRM is still to be told, of these leads or of all, by rising id."""
        given: dict[str, Any] = {"after": after, "limit": limit}
        statement = _UNTOLD_OF_ALL
        if lead_ids is not None:
            statement, given = _UNTOLD_OF_THESE, given | {"ids": list(lead_ids)}
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement, given)).all()
        return [Untold(**dict(row._mapping) | {"reasons": _reasons(row.reasons)}) for row in rows]

    def alone(self) -> Hold:
        """One at a time tells the CRM, or two would write the same comment; the other waits."""
        return Hold(self._database, "scores", waits=True)

    async def telling(self, lead_ids: Sequence[int]) -> None:
        """Note, before it is sent, whose band is about to be told: a lost answer is looked up."""
        async with self._database.transaction() as connection:
            await connection.execute(_TELLING, {"ids": lead_ids, "unknown": UNKNOWN})

    async def told(self, told: Collection[Untold]) -> None:
        """Note what the CRM has now."""
        rows = [{"lead_id": t.lead_id, "score": t.score, "band": t.band} for t in told]
        async with self._database.transaction() as connection:
            await connection.execute(_TOLD, {"rows": orjson.dumps(rows).decode()})

    async def show(self, lead_id: int) -> tuple[Scored, dict[str, Value], str, datetime] | None:
        """A lead's score, its features, the rules' version and when; None: it has none yet."""
        names = ("score", "band", "reasons", "inputs", "rules", "scored_at")
        columns = [col(getattr(Score, name)) for name in names]
        statement = select(*columns).where(col(Score.lead_id) == bindparam("lead"))
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement, {"lead": lead_id})).first()
        if row is None:
            return None
        scored = Scored(row.score, row.band, _reasons(row.reasons))
        return scored, row.inputs, row.rules, row.scored_at


def _reasons(kept: list[Any]) -> tuple[Reason, ...]:
    return tuple(Reason(points, why) for points, why in kept)
