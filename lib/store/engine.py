"""The connection to PostgreSQL, and what its failures mean here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lib.errors import Unavailable
from lib.store.failures import FOREIGN, failure_from

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


KEPT = 4
TRUSTED_S = 1.0  # a session that was not used for longer is asked whether it lives

Session = psycopg.AsyncConnection[tuple[Any, ...]]


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


def _connect_with(statement_timeout_s: float | None) -> dict[str, str | int]:
    if statement_timeout_s is None:
        return CONNECT
    # Told at the start of the session: no round trip of its own.
    options = f"{KEEPALIVE} -c statement_timeout={round(statement_timeout_s * 1000)}"
    return CONNECT | {"options": options}


class Database:
    """A pool of connections to one PostgreSQL database.

    Args:
        dsn: ``postgresql://user:password@host:port/name`` or any libpq DSN.
        pool_size: connections kept open; twice as many may be opened under load.
        statement_timeout_s: what a statement may take, a wait for a lock included, before
            PostgreSQL itself ends it; None: as the server says.
    """

    def __init__(
        self, dsn: str, pool_size: int = 4, statement_timeout_s: float | None = None
    ) -> None:
        self.dsn = dsn
        self._connect = _connect_with(statement_timeout_s)
        self.engine: AsyncEngine = create_async_engine(
            url_from(dsn),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            connect_args=self._connect,
            hide_parameters=True,
        )
        self._kept: list[tuple[float, Session]] = []

    async def close(self) -> None:
        """Close the pool; connections in use end with their transaction."""
        while self._kept:
            await self._kept.pop()[1].close()
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
            StatementFailed: PostgreSQL refuses a statement.
        """
        try:
            async with self.engine.begin() as connection:
                yield connection
        except FOREIGN as exc:
            raise failure_from(exc) from None

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Session]:
        """A connection on which every statement is a transaction: one round trip in place of three.

        Raises:
            Unavailable: PostgreSQL is away or went away; a statement may have been committed.
            StatementFailed: PostgreSQL refuses a statement.
        """
        connection = await self.take()
        try:
            yield connection
        except BaseException as exc:
            await connection.close()
            if isinstance(exc, FOREIGN):
                raise failure_from(exc) from None
            raise
        await self.keep(connection)

    async def take(self) -> Session:
        """A session that lives: one that was kept, for to open one takes 5 ms, or a new one.

        Raises:
            Unavailable: PostgreSQL is away.
        """
        while self._kept:
            kept_at, connection = self._kept.pop()
            try:
                if time.monotonic() - kept_at > TRUSTED_S:
                    await connection.execute("select 1")
            except BaseException as exc:
                await connection.close()
                if not isinstance(exc, psycopg.Error):
                    raise
            else:
                return connection
        return await self.session()

    async def keep(self, connection: Session) -> None:
        """Keep a session that holds nothing for whoever needs one next, or close it."""
        if len(self._kept) < KEPT:
            self._kept.append((time.monotonic(), connection))
        else:
            await connection.close()

    async def session(self, name: str = "potok") -> Session:
        """A connection of its own, outside the pool: for LISTEN and for locks that are held.

        Args:
            name: its ``application_name``, by which it is seen in ``pg_stat_activity``.

        Raises:
            Unavailable: PostgreSQL is away.
        """
        try:
            return await psycopg.AsyncConnection.connect(
                make_conninfo(self.dsn, **self._connect), autocommit=True, application_name=name
            )
        except psycopg.OperationalError as exc:
            raise Unavailable("the database is away") from exc
