"""Places at a provider that takes only so many calls at a time, over all processes.

A place is an advisory lock of PostgreSQL on one session that a process keeps for all of its places:
when the process dies they are free at once. Without PostgreSQL, or with a frozen one, there are the
places of this process alone: the limit is a courtesy, and a call is better than none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from lib.errors import RateLimited, Unavailable
from lib.store.engine import Database, Session
from lib.store.llm.patience import Patience

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.05  # while another process has every place
ANSWERS_WITHIN_S = 1.0  # a question that takes a fraction of a millisecond
RESTS_S = 5.0
_TRY = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
_FREE = "select pg_advisory_unlock(hashtextextended(%s, 0))"


@dataclass(slots=True)
class _Provider:
    """This process's callers of one provider.

    Attributes:
        at_once: how many places there are.
        taken: the numbers of those that this process has.
        waiting: callers without a place.
        turn: held by the caller who looks for a place; the others wait for it in order.
        freed: this process has freed a place since the last look.
    """

    at_once: int
    taken: set[int] = field(default_factory=set)
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    freed: asyncio.Event = field(default_factory=asyncio.Event)


class Slots:
    """The places of every provider that has a limit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._providers: dict[str, _Provider] = {}
        self._session: Session | None = None
        self._talking = asyncio.Lock()
        self._patience = Patience(ANSWERS_WITHIN_S, RESTS_S)

    async def close(self) -> None:
        """Free every place."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def place(
        self, name: str, at_once: int | None, wait_s: float, queue: int
    ) -> AsyncIterator[None]:
        """A place at a provider for as long as the block lasts; those of a process in order.

        Args:
            name: the provider's.
            at_once: how many places there are; None: no limit.
            wait_s: how long a caller waits for one.
            queue: how many of this process may wait.

        Raises:
            RateLimited: too many wait, or none was free in time.
        """
        if at_once is None:
            yield
            return
        provider = self._providers.setdefault(name, _Provider(at_once))
        provider.at_once = at_once
        number = await self._taken(name, provider, wait_s, queue)
        try:
            yield
        finally:
            await asyncio.shield(self._freed(name, provider, number))

    async def _taken(self, name: str, provider: _Provider, wait_s: float, queue: int) -> int:
        if len(provider.taken) + provider.waiting >= provider.at_once + queue:
            raise RateLimited(f"{provider.waiting} calls wait for it already", 1.0)
        provider.waiting += 1
        try:
            async with asyncio.timeout(wait_s), provider.turn:
                while (number := await self._looked(name, provider)) is None:
                    await self._change(provider)
                return number
        except TimeoutError:
            raise RateLimited(f"no place was free within {wait_s:g} s", 1.0) from None
        finally:
            provider.waiting -= 1

    async def _looked(self, name: str, provider: _Provider) -> int | None:
        """A free place, which a caller who leaves while PostgreSQL answers gives back."""
        looking = asyncio.ensure_future(self._try(name, provider))
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            await asyncio.shield(self._given_back(name, provider, looking))
            raise

    async def _given_back(
        self, name: str, provider: _Provider, looking: asyncio.Future[int | None]
    ) -> None:
        if (number := await looking) is not None:
            await self._freed(name, provider, number)

    async def _try(self, name: str, provider: _Provider) -> int | None:
        """A free place; None: all of them are taken, here or elsewhere."""
        provider.freed.clear()
        for number in sorted(set(range(provider.at_once)) - provider.taken):
            if await self._ask(_TRY, f"potok-place:{name}:{number}") is not False:
                provider.taken.add(number)
                return number
        return None

    async def _change(self, provider: _Provider) -> None:
        """Wait until this process frees a place; while others have some, at most a moment."""
        has_all = len(provider.taken) >= provider.at_once
        with suppress(TimeoutError):
            async with asyncio.timeout(None if has_all else LOOK_EVERY_S):
                await provider.freed.wait()

    async def _freed(self, name: str, provider: _Provider, number: int) -> None:
        await self._ask(_FREE, f"potok-place:{name}:{number}")
        provider.taken.discard(number)
        provider.freed.set()

    async def _ask(self, statement: str, key: str) -> bool | None:
        """What PostgreSQL says; None: it is away."""
        async with self._talking:
            try:
                return await self._patience.ask(lambda: self._asked(statement, key))
            except (psycopg.Error, Unavailable) as exc:
                log.warning("places.away kind=%s", type(exc).__name__)
                return None

    async def _asked(self, statement: str, key: str) -> bool:
        # While it is asked the session is nobody's: a question that is given up takes it along,
        # and with it the lock that a frozen server may still give.
        session, self._session = self._session, None
        try:
            if session is None or session.closed:
                session = await self._database.session("potok places")
            cursor = await session.execute(statement.encode(), (key,))
            row = await cursor.fetchone()
        except BaseException:
            if session is not None:
                await session.close()
            raise
        self._session = session
        return bool(row and row[0])
