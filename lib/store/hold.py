"""A batch in the hands of a living process."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from uuid import UUID

import psycopg

from lib.errors import Rejected, Unavailable
from lib.store.engine import Database, Session

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0  # well below the grace that the dispatcher gives a lock that is gone

_LOCK = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
_OPEN = "select closed_at is null from batches where id = %s"


class Hold:
    """Holds a batch's advisory lock on a connection of its own, and notices when it is lost."""

    def __init__(self, database: Database, batch_id: UUID) -> None:
        self._database = database
        self._batch_id = batch_id
        self._connection: Session | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Hold:
        if not await self._acquire():
            await self._close()
            raise Rejected(f"batch {self._batch_id} is in the hands of another run")
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
            cursor = await connection.execute(_LOCK, (str(self._batch_id),))
            row = await cursor.fetchone()
        except psycopg.Error as exc:
            await connection.close()
            raise Unavailable("the database went away") from exc
        self._connection = connection
        return bool(row and row[0])

    async def _is_open(self) -> bool:
        assert self._connection is not None
        cursor = await self._connection.execute(_OPEN, (self._batch_id,))
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def _keep(self, owner: asyncio.Task[object]) -> None:
        """Check the lock's connection; open it again, or end the run that lost its batch."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                assert self._connection is not None
                if self._connection.closed or self._connection.broken:
                    if not (await self._acquire() and await self._is_open()):
                        log.error("batch.lost batch_id=%s", self._batch_id)
                        owner.cancel("the batch was given to another run")
                        return
                    log.warning("batch.held_again batch_id=%s", self._batch_id)
                else:
                    await self._connection.execute("select 1")
            except (psycopg.Error, Unavailable):
                log.warning("batch.hold_away batch_id=%s", self._batch_id)
