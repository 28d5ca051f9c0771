"""The connection to PostgreSQL, and what its failures mean here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lib.errors import Unavailable

# A peer whose machine lost power must not keep its locks for the two hours of the default.
KEEPALIVE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"

# The same from this end, and sooner: who lost the server must know before its locks are free.
CONNECT: dict[str, str | int] = {
    "options": KEEPALIVE,
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def url_from(dsn: str, driver: str = "postgresql+psycopg") -> URL:
    """A libpq DSN or ``postgresql://`` address as SQLAlchemy's URL."""
    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    known = {"user", "password", "host", "port", "dbname"}
    return URL.create(
        driver,
        username=parts.get("user"),
        password=parts.get("password"),
        host=parts.get("host"),
        port=int(parts["port"]) if "port" in parts else None,
        database=parts.get("dbname"),
        query={key: value for key, value in parts.items() if key not in known},
    )


def conninfo_from(dsn: str) -> str:
    """A DSN with our time limits, for a connection of psycopg's own."""
    return make_conninfo(dsn, **CONNECT)


class Database:
    """A pool of connections to one PostgreSQL database.

    Args:
        dsn: ``postgresql://user:password@host:port/name`` or any libpq DSN.
        pool_size: connections kept open; twice as many may be opened under load.
    """

    def __init__(self, dsn: str, pool_size: int = 4) -> None:
        self.dsn = dsn
        self.engine: AsyncEngine = create_async_engine(
            url_from(dsn),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            connect_args=CONNECT,
        )

    async def close(self) -> None:
        """Close the pool; connections in use end with their transaction."""
        await self.engine.dispose()

    async def check(self) -> None:
        """Raise Unavailable unless PostgreSQL answers."""
        async with self.transaction() as connection:
            await connection.execute(text("select 1"))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end.

        Raises:
            Unavailable: PostgreSQL is away or went away; nothing was committed, unless the
                answer to the commit itself was lost. Statements here are safe to repeat.
        """
        try:
            async with self.engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError, PoolTimeoutError) as exc:
            raise Unavailable(f"the database is away: {type(exc).__name__}") from exc

    async def session(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """A connection of its own, outside the pool: for LISTEN and for locks that are held.

        Raises:
            Unavailable: PostgreSQL is away.
        """
        try:
            return await psycopg.AsyncConnection.connect(conninfo_from(self.dsn), autocommit=True)
        except psycopg.OperationalError as exc:
            raise Unavailable("the database is away") from exc
