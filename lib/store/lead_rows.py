"""Writing leads and what people wrote: a statement for a whole batch, its rows as one JSON.

As ``insert … values`` SQLAlchemy compiles each statement anew, for it has another number of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from lib.domain.leads import LeadState
from lib.store.tables import TABLES

_CRM = {"crm_id", "crm_version", "crm_linked"}  # only ``lib.store.filings`` writes these
_KEPT = {"origin", "source", "person", "opened_at"}  # a lead's own, from its first message on

_STATE = tuple(LeadState.model_fields)
_GIVEN = [name for name in _STATE if name not in {"id"} | _CRM]
_WORDS = [column.name for column in TABLES["lead_messages"].columns if column.name != "in_crm"]


def _typed(table: str, names: Iterable[str]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = {c.name: c.type.compile(dialect) for c in TABLES[table].columns}
    return ", ".join(f"{name} {types[name]}" for name in names)


_SAVE = text(
    f"""
    insert into leads ({", ".join(_GIVEN)}) select {", ".join(_GIVEN)}
    from jsonb_to_recordset(cast(:rows as jsonb)) as g({_typed("leads", _GIVEN)})
    on conflict (origin) do update set
      {", ".join(f"{name} = excluded.{name}" for name in _GIVEN if name not in _KEPT)}
    returning {", ".join(_STATE)}
    """  # noqa: S608 — of our own columns' names
)

# Of two versions of one message the newer one's words stay; a lead once found is kept.
_IS_NEWER = """
    (coalesce(excluded.edited_at, '-infinity'), excluded.delivery_id)
      >= (coalesce(old.edited_at, '-infinity'), old.delivery_id)
"""
_OF_THE_NEWER = ("delivery_id", "edited_at", "text", "inquiry")
_KEEP_WORDS = text(
    f"""
    insert into lead_messages as old ({", ".join(_WORDS)}) select {", ".join(_WORDS)}
    from jsonb_to_recordset(cast(:rows as jsonb)) as g({_typed("lead_messages", _WORDS)})
    on conflict (ref) do update set
      lead_id = coalesce(excluded.lead_id, old.lead_id), at = least(excluded.at, old.at),
      {
        ", ".join(
            f"{name} = case when {_IS_NEWER} then excluded.{name} else old.{name} end"
            for name in _OF_THE_NEWER
        )
    }
    """  # noqa: S608 — of our own columns' names
)

# What was told before it was heard is told again; whether it was is looked up there.
_DOUBT_TOLD = text(
    """
    update lead_messages m set in_crm = 'tried'
    from unnest(cast(:refs as text[]), cast(:delivery_ids as bigint[])) as g(ref, delivery_id)
    where m.ref = g.ref and m.delivery_id < g.delivery_id and m.in_crm in ('yes', 'refused')
    """
)


async def save_leads(
    connection: AsyncConnection, changed: Collection[LeadState]
) -> dict[str, LeadState]:
    """Insert or update leads, by origin; as they are after that."""
    if not changed:
        return {}
    rows = [lead.model_dump(mode="json", include=set(_GIVEN)) for lead in changed]
    saved = await connection.execute(_SAVE, {"rows": orjson.dumps(rows).decode()})
    leads = [LeadState.model_validate(dict(row._mapping)) for row in saved]
    return {lead.origin: lead for lead in leads}


async def save_words(connection: AsyncConnection, rows: Collection[dict[str, Any]]) -> None:
    """Insert what people wrote, or what they changed of it: the columns of `LeadMessage`."""
    if rows:
        given = orjson.dumps(list(rows)).decode()
        await connection.execute(_KEEP_WORDS, {"rows": given})


async def doubt_told(connection: AsyncConnection, heard: Mapping[str, int]) -> None:
    """Messages whose recordings were heard since they were told to the CRM: by ref, by what."""
    if heard:
        given = {"refs": list(heard), "delivery_ids": list(heard.values())}
        await connection.execute(_DOUBT_TOLD, given)
