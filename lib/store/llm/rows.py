"""One statement in one round trip, and its rows by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from lib.store.engine import Database


async def rows(
    database: Database, statement: str, values: Mapping[str, Any] | Sequence[Any] | None = None
) -> list[dict[str, Any]]:
    """The rows that a statement gives; none when it gives no rows.

    Raises:
        Unavailable: the database is away; the statement may have been carried out.
        StatementFailed: it refuses the statement.
    """
    async with (
        database.autocommit() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


def clean(text: str) -> str:
    """A text that PostgreSQL can hold: clients and providers put anything into theirs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
