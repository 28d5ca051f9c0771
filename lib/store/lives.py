"""Which flow runs have a living process: each of those holds a lock, so no clock has to judge."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from lib.store.engine import Database
from lib.store.hold import HELD, Hold

LIFE = "run:"

_LIVING = text(
    f"""
    select run_id from unnest(cast(:ids as text[])) as run_id
    where {HELD.format(key=f"'{LIFE}' || run_id")}
    """  # noqa: S608 — of our own words
)


def life_of(database: Database, run_id: UUID) -> Hold:
    """Shows that this process runs a flow run, for as long as the block lasts."""
    return Hold(database, f"{LIFE}{run_id}")


async def living(database: Database, run_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the flow runs that have a living process."""
    async with database.transaction() as connection:
        rows = await connection.execute(_LIVING, {"ids": [str(run_id) for run_id in run_ids]})
        return {UUID(run_id) for run_id in rows.scalars()}
