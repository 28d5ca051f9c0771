"""Whether a dispatcher works on this database, as PostgreSQL itself sees it: nothing is written."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import text

from lib.errors import Unavailable
from lib.store.engine import Database

NAME = "potok-dispatcher"  # the application_name of its listening connection
SILENT_S = 30.0

_HEARD = text(
    """
    select 1 from pg_stat_activity
    where application_name = :name and datname = current_database()
      and state_change > clock_timestamp() - make_interval(secs => :silent_s) limit 1
    """
)


async def heartbeat(connection: psycopg.AsyncConnection[Any]) -> None:
    """Say on its listening connection that a dispatcher turns."""
    await connection.execute("select 1")


async def check_dispatcher(database: Database) -> None:
    """Raise Unavailable unless a dispatcher was heard of within ``SILENT_S``."""
    async with database.transaction() as connection:
        rows = await connection.execute(_HEARD, {"name": NAME, "silent_s": SILENT_S})
        if rows.first() is None:
            raise Unavailable("no dispatcher turns: the worker is away")
