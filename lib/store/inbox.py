"""The inbox: what was accepted is here until it is done, and stays findable after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, func, select, text, update
from sqlmodel import col

from lib.bounded import bounded
from lib.errors import Unavailable
from lib.store.engine import Database
from lib.store.tables import Batch, Delivery

CHANNEL = "potok_inbox"  # a delivery was committed, or a batch closed: the dispatchers look
STATES = ("received", "claimed", "failed", "done", "dead")

AT_ONCE = 100  # deliveries of one commit
ANSWER_WITHIN_S = 8.0  # whatever the database does: a caller that waits longer sends it again
COMMIT_WITHIN_S = 4.0  # of one group; after it its session is dropped, the next takes another
STUCK_AFTER_S = 1.5  # a commit under way for longer is told by ``check``

GIVEN = """
    given as (
      select * from jsonb_to_recordset(cast({rows} as jsonb)) as g(key text, deployment text,
        source text, lane text, person text, message jsonb, raw text)
    )
"""
NEW = """
    new as (
      insert into deliveries (key, deployment, source, lane, person, message, raw)
      select key, deployment, source, lane, person, message, raw from given {where}
      on conflict (key) do nothing returning key
    )
"""

# The dispatchers hear of it when it is committed, and of a second copy never.
_ACCEPT = f"""
    with {GIVEN.format(rows="%s")}, {NEW.format(where="")}
    select key, pg_notify(%s, '') from new
"""  # noqa: S608 — of our own words

_FIGURES = text(
    """
    select count(*), coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0),
      (select count(*) from batches where closed_at is null),
      (select count(*) from batches where ended = 'returned')
    from deliveries where state in ('received', 'failed', 'claimed')
    """
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What a door accepts. ``key`` is the promise that a second copy does nothing."""

    key: str
    deployment: str
    source: str
    lane: str
    person: str
    message: dict[str, Any]
    raw: str


@dataclass(frozen=True, slots=True)
class InboxFigures:
    """The inbox in figures.

    Attributes:
        waiting: deliveries that are not settled.
        oldest_s: seconds since the oldest of them came.
        open_batches: batches in the hands of runs.
        returned_batches: batches ever taken back from a run that died.
    """

    waiting: float
    oldest_s: float
    open_batches: float
    returned_batches: float


_Arrived = tuple[NewDelivery, asyncio.Future[bool]]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery as people see it, with the flow run that has or had it."""

    id: int
    key: str
    state: str
    attempts: int
    lane: str
    received_at: datetime
    due_at: datetime
    settled_at: datetime | None
    error: str | None
    outcome: dict[str, Any] | None
    flow_run_id: UUID | None
    raw: str | None = None


class Inbox:
    """Accepting deliveries and looking at them; claiming them is ``lib.store.claims``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._arrived: list[_Arrived] = []
        self._writing: asyncio.Task[None] | None = None
        self._began_at: float | None = None  # of the commit under way

    async def check(self) -> None:
        """Raise Unavailable unless a delivery can be committed now; nothing is written."""
        began_at = self._began_at
        if began_at is not None and (took_s := time.monotonic() - began_at) > STUCK_AFTER_S:
            raise Unavailable(f"the database has not ended a commit for {took_s:.1f} s")
        async with self._database.transaction() as connection:
            # The lock that an insert takes: it waits where that would, and nobody waits for it.
            await connection.execute(text("lock table deliveries in row exclusive mode"))
            if (await connection.execute(text("show transaction_read_only"))).scalar() == "on":
                raise Unavailable("the database is read-only")

    async def accept(self, delivery: NewDelivery) -> bool:
        """Commit a delivery, together with all that arrive while the commit before is under way.

        Returns:
            False when its key was here before: nothing was done then.

        Raises:
            Unavailable: it is not committed, or nobody knows; send it again. After
                ``ANSWER_WITHIN_S`` at the latest.
        """
        committed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._arrived.append((delivery, committed))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await committed
        except TimeoutError:
            raise Unavailable(
                f"the database is stuck: no commit in {ANSWER_WITHIN_S:g} s"
            ) from None

    async def _write(self) -> None:
        """Commit what has arrived, until nothing more has."""
        while self._arrived:
            group, self._arrived = self._arrived[:AT_ONCE], self._arrived[AT_ONCE:]
            await self._commit(group)

    async def _commit(self, arrived: Sequence[_Arrived]) -> None:
        """Commit a group and tell its callers; what PostgreSQL refuses fails alone."""
        group = [one for one in arrived if not one[1].done()]  # the others were answered 503
        if not group:
            return
        try:
            new = await self._insert([delivery for delivery, _ in group])
        except Exception as exc:  # noqa: BLE001 — whoever waits for it is told
            if len(group) > 1 and not isinstance(exc, Unavailable):
                for one in group:
                    await self._commit([one])
                return
            for _, committed in group:
                if not committed.done():
                    committed.set_exception(exc)
            return
        for delivery, committed in group:
            if not committed.done():  # its caller may have given up
                committed.set_result(delivery.key in new)
            new.discard(delivery.key)

    async def _insert(self, deliveries: Sequence[NewDelivery]) -> set[str]:
        """Commit deliveries; the keys of those that were not here before.

        Raises:
            Unavailable: it took too long, and its session is dropped; or as ``autocommit`` says.
        """
        self._began_at = time.monotonic()
        try:
            return await bounded(self._insert_on_a_session(deliveries), COMMIT_WITHIN_S)
        except TimeoutError:
            stuck = f"the database is stuck: no commit in {COMMIT_WITHIN_S:g} s"
            raise Unavailable(stuck) from None
        finally:
            self._began_at = None

    async def _insert_on_a_session(self, deliveries: Sequence[NewDelivery]) -> set[str]:
        given = orjson.dumps([asdict(delivery) for delivery in deliveries]).decode()
        async with self._database.autocommit() as connection:
            rows = await connection.execute(_ACCEPT, (given, CHANNEL))
            return {key for key, _ in await rows.fetchall()}

    async def counts(self) -> dict[str, int]:
        """Deliveries by state; every state is there, also with zero."""
        statement = select(col(Delivery.state), func.count()).group_by(col(Delivery.state))
        async with self._database.transaction() as connection:
            found = {state: int(number) for state, number in await connection.execute(statement)}
        return {state: found.get(state, 0) for state in STATES}

    async def figures(self) -> InboxFigures:
        """What waits, and what became of batches."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_FIGURES)).one()
        return InboxFigures(*map(float, row))

    async def newest(self, state: str | None = None, limit: int = 50) -> list[DeliveryView]:
        """The newest deliveries, of one state or of all."""
        statement = _views().order_by(col(Delivery.id).desc()).limit(limit)
        if state:
            statement = statement.where(col(Delivery.state) == state)
        async with self._database.transaction() as connection:
            return [_view(row) for row in await connection.execute(statement)]

    async def show(self, key: str) -> DeliveryView | None:
        """One delivery by its key or its number, with the body as it came."""
        number = _number_from(key)
        wanted = col(Delivery.key) == key if number is None else col(Delivery.id) == number
        async with self._database.transaction() as connection:
            row = (await connection.execute(_views(col(Delivery.raw)).where(wanted))).first()
        return _view(row) if row else None

    async def retry(self, keys: Sequence[str] = ()) -> int:
        """Bring dead deliveries back as if new: those named, or all. Returns how many."""
        statement = (
            update(Delivery)
            .where(col(Delivery.state) == "dead")
            .values(
                state="received",
                attempts=0,
                due_at=text("clock_timestamp()"),
                settled_at=None,
                batch_id=None,
            )
        )
        if keys:
            numbers = [number for key in keys if (number := _number_from(key)) is not None]
            statement = statement.where(col(Delivery.key).in_(keys) | col(Delivery.id).in_(numbers))
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount


def _number_from(key: str) -> int | None:
    """A delivery's number, as people type it; None for a key."""
    return int(key) if key.isascii() and key.isdigit() and len(key) <= 18 else None


def _views(*more: Any) -> Any:
    names = [name for name in DeliveryView.__slots__ if name not in {"flow_run_id", "raw"}]
    columns = [col(getattr(Delivery, name)) for name in names]
    return select(*columns, col(Batch.flow_run_id), *more).join(
        Batch, col(Batch.id) == col(Delivery.batch_id), isouter=True
    )


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(**row._mapping)
