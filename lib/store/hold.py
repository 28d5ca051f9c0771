"""A thing in the hands of a living process: an advisory lock of PostgreSQL, free when it dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

import psycopg

from lib.errors import Rejected, Unavailable
from lib.store.engine import Database, Session

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0  # well below the grace that the dispatcher gives a lock that is gone

_LOCK = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
_WAIT_AND_LOCK = "select pg_advisory_lock(hashtextextended(%s, 0)) is not null"
HELD = """
    exists (
      select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = hashtextextended({key}, 0)
    )
"""


class Hold:
    """Holds a lock on a connection of its own for as long as the block lasts, which its loss ends.

    Should the connection break (PostgreSQL restarted), it is opened again; should another process
    have the lock by then, the block is cancelled.

    Args:
        database: where.
        key: what is held.
        is_ours: asked when the lock was taken again: is the thing still ours?
        waits: for another process to let go of it.
    """

    def __init__(
        self,
        database: Database,
        key: str,
        is_ours: Callable[[Session], Awaitable[bool]] | None = None,
        *,
        waits: bool = False,
    ) -> None:
        self._database = database
        self._key = key
        self._is_ours = is_ours
        self._lock = _WAIT_AND_LOCK if waits else _LOCK
        self._connection: Session | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Hold:
        """Take the lock.

        Raises:
            Rejected: another process has it.
            Unavailable: PostgreSQL is away.
        """
        if not await self._acquire():
            await self._close()
            raise Rejected(f"{self._key} is in the hands of another process")
        owner = asyncio.current_task()
        assert owner is not None
        self._watch = asyncio.create_task(self._keep(owner))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._close()

    async def _close(self) -> None:
        """Free the lock, and keep the connection for the next batch."""
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.execute("select pg_advisory_unlock_all()")
        except BaseException as exc:  # whatever it is in the middle of, its end frees the lock
            await connection.close()
            if not isinstance(exc, psycopg.Error):
                raise
        else:
            await self._database.keep(connection)

    async def _acquire(self) -> bool:
        connection = await self._database.take()
        try:
            cursor = await connection.execute(self._lock, (self._key,))
            row = await cursor.fetchone()
        except BaseException as exc:  # cancelled while it waits, the connection has the lock later
            await connection.close()
            if not isinstance(exc, psycopg.Error):
                raise
            raise Unavailable("the database went away") from exc
        self._connection = connection
        return bool(row and row[0])

    async def _take_again(self) -> bool:
        if not await self._acquire():
            return False
        assert self._connection is not None
        return self._is_ours is None or await self._is_ours(self._connection)

    async def _keep(self, owner: asyncio.Task[object]) -> None:
        """Check the lock's connection; open it again, or end the block that lost its lock."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                assert self._connection is not None
                if self._connection.closed or self._connection.broken:
                    if not await self._take_again():
                        log.error("hold.lost key=%s", self._key)
                        owner.cancel(f"{self._key} was given to another process")
                        return
                    log.warning("hold.taken_again key=%s", self._key)
                else:
                    await self._connection.execute("select 1")
            except (psycopg.Error, Unavailable):
                log.warning("hold.away key=%s", self._key)
