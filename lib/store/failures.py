"""What PostgreSQL's errors mean here, told without the row that they are about.

PostgreSQL puts the failing row into an error's DETAIL, and SQLAlchemy a statement's parameters:
names, phones and texts, which would reach logs, flow run states and ``deliveries.error``.
"""

from __future__ import annotations

from psycopg import Error, InterfaceError, OperationalError
from psycopg.errors import ReadOnlySqlTransaction, UndefinedTable
from sqlalchemy.exc import StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lib.errors import Unavailable

FOREIGN = (Error, StatementError, PoolTimeoutError)  # what a statement may raise
AWAY = (OperationalError, InterfaceError, ReadOnlySqlTransaction, PoolTimeoutError)


class NoTables(Unavailable):
    """The database is there and has not been migrated."""


class StatementFailed(Exception):
    """PostgreSQL did not take a statement or a value in it.

    Not of the tree in ``lib.errors``: as with any bug nobody knows whether a retry helps, so one
    message of a batch fails alone, and the inbox tries it again until it is given up.
    """


def failure_from(error: Exception) -> Exception:
    """One of ``FOREIGN`` as an error of ours: its type and SQLSTATE, and nothing of a row.

    Returns:
        Unavailable when the database is away, NoTables when it is empty, else StatementFailed.
    """
    cause = error.orig if isinstance(error, StatementError) and error.orig else error
    kind = type(cause).__name__
    if isinstance(cause, AWAY):
        return Unavailable(f"the database is away: {kind}")
    if isinstance(cause, UndefinedTable):
        return NoTables("the database has no tables yet")
    state = getattr(cause, "sqlstate", None)
    return StatementFailed(f"the database refuses a statement: {kind}, SQLSTATE {state or 'none'}")
