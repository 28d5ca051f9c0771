"""The databases on a PostgreSQL server, embedded or given."""

from __future__ import annotations

import psycopg
from psycopg import sql

from lib.errors import Rejected, Unavailable

NAMES = ("potok", "prefect")


def check_answers(dsn: str) -> None:
    """Ask a server for one statement.

    Raises:
        Unavailable: it does not answer, or refuses the credentials; the line never has them.
    """
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError as exc:
        raise Unavailable(f"PostgreSQL does not answer: {_reason(exc)}") from None


def ensure_databases(dsn: str, names: tuple[str, ...] = NAMES) -> list[str]:
    """Make the databases that are missing.

    Args:
        dsn: of any database on the server.
        names: of the databases.

    Returns:
        The names of those that were made.

    Raises:
        Unavailable: the server does not answer.
        Rejected: this user may not make databases.
    """
    missing: list[str] = []
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            rows = connection.execute("select datname from pg_database").fetchall()
            missing = [name for name in names if (name,) not in rows]
            for name in missing:
                statement = sql.SQL("create database {} encoding 'UTF8' template template0")
                connection.execute(statement.format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        raise Rejected(
            f"this PostgreSQL user may not create databases: create {', '.join(missing)} by hand"
        ) from None
    except psycopg.OperationalError as exc:
        raise Unavailable(f"PostgreSQL does not answer: {_reason(exc)}") from None
    return missing


def _reason(exc: psycopg.OperationalError) -> str:
    lines = str(exc).strip().splitlines()
    return lines[0] if lines else type(exc).__name__
