"""What becomes of a batch of deliveries: holding, settling, and giving back.

A batch is open from its claim until its run settles it or it is returned. The run that works on
it holds an advisory lock of PostgreSQL on a connection of its own, so a run that died is seen at
once and by no clock: its lock is free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, select, text, update
from sqlmodel import col

from lib.store.engine import Database, Session
from lib.store.events import announce
from lib.store.hold import HELD, Hold
from lib.store.inbox import CHANNEL, NewDelivery
from lib.store.lives import LIFE
from lib.store.settlements import Settlement
from lib.store.tables import Batch, Delivery

_HELD = text(
    """
    select id, attempts from deliveries where batch_id = :batch and state = 'claimed'
    order by id for update
    """
)

_CLOSE = text(
    """
    with closed as (
      update batches set closed_at = clock_timestamp(), ended = :ended
      where id = :batch and closed_at is null
    ), settled as (
      update deliveries d set state = c.state, attempts = c.attempts, outcome = c.outcome,
        error = c.error, batch_limit = c.batch_limit,
        due_at = clock_timestamp() + make_interval(secs => c.wait_s),
        failed_at = case when c.state = 'failed' then clock_timestamp() end,
        settled_at = case when c.state in ('done', 'dead') then clock_timestamp() end
      from jsonb_to_recordset(cast(:changes as jsonb)) as c(id bigint, state text, attempts int,
        outcome jsonb, error text, batch_limit int, wait_s float)
      where d.id = c.id
    )
    select pg_notify(:channel, '')
    """
)

_OPEN = text(
    f"""
    select id, deployment, flow_run_id, started_at is not null as started,
      {HELD.format(key="batches.id::text")}
        or {HELD.format(key=f"'{LIFE}' || batches.flow_run_id")} as held
    from batches where closed_at is null order by created_at
    """  # noqa: S608 — of our own words
)

_IS_OPEN = "select closed_at is null from batches where id = %s"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in the hands of a run."""

    id: int
    key: str
    message: dict[str, Any]
    attempts: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that is not settled; ``held`` says that the process of its run lives."""

    id: UUID
    deployment: str
    flow_run_id: UUID | None
    started: bool
    held: bool


class Batches:
    """What runs do with the batches that were claimed for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, batch_id: UUID) -> list[Claimed]:
        """What a batch still has, in the order it came; empty when it was given back meanwhile."""
        names = ("id", "key", "message", "attempts", "received_at")
        statement = (
            select(*(col(getattr(Delivery, name)) for name in names))
            .where(col(Delivery.batch_id) == batch_id, col(Delivery.state) == "claimed")
            .order_by(col(Delivery.id))
        )
        async with self._database.transaction() as connection:
            await connection.execute(
                update(Batch)
                .where(col(Batch.id) == batch_id, col(Batch.started_at).is_(None))
                .values(started_at=func.clock_timestamp())
            )
            return [Claimed(**row._mapping) for row in await connection.execute(statement)]

    async def settle(
        self,
        batch_id: UUID,
        settlements: Sequence[Settlement],
        jitter: float,
        follow_ups: Sequence[NewDelivery] = (),
    ) -> list[int]:
        """Write what became of each delivery and close the batch, all in one transaction.

        The follow-ups, work for other flows, go into the inbox by the same transaction.

        Deliveries of the batch that are not named go back to the inbox. Deliveries that another
        run has got meanwhile are left alone.

        Returns:
            The deliveries that are dead now.
        """
        named = {s.delivery_id: s for s in settlements}
        return await self._close(
            batch_id,
            "settled",
            lambda row, _: named.get(row.id) or Settlement.untouched(row.id),
            jitter,
            follow_ups,
        )

    async def give_back(self, batch_id: UUID, reason: str, jitter: float) -> list[int]:
        """Return a dead run's deliveries to the inbox, each with one attempt more.

        The next batch they are in is a quarter of this one's size: a message that kills its
        process is alone after a few rounds and hurts nobody else.

        Returns:
            The deliveries that are dead now.
        """
        return await self._close(
            batch_id,
            "returned",
            lambda row, size: Settlement(row.id, error=reason, batch_limit=max(1, size // 4)),
            jitter,
        )

    async def release(self, batch_id: UUID) -> None:
        """Return the deliveries of a batch that no run has ever had, as if never claimed."""
        await self._close(batch_id, "released", lambda row, _: Settlement.untouched(row.id))

    async def _close(
        self,
        batch_id: UUID,
        ended: str,
        settlement_of: Callable[[Any, int], Settlement],
        jitter: float = 0.0,
        follow_ups: Sequence[NewDelivery] = (),
    ) -> list[int]:
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_HELD, {"batch": batch_id})).all()
            await announce(connection, follow_ups)
            changes = [settlement_of(row, len(rows)).changes(row.attempts, jitter) for row in rows]
            await connection.execute(
                _CLOSE,
                {
                    "changes": orjson.dumps(changes).decode(),
                    "batch": batch_id,
                    "ended": ended,
                    "channel": CHANNEL,
                },
            )
        return [change["id"] for change in changes if change["state"] == "dead"]

    async def attach(self, batch_id: UUID, flow_run_id: UUID) -> None:
        """Note the flow run that was created for a batch."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(Batch).where(col(Batch.id) == batch_id).values(flow_run_id=flow_run_id)
            )

    async def are_open(self, deployment: str) -> bool:
        """Whether runs of a deployment are busy."""
        statement = select(col(Batch.id)).where(
            col(Batch.deployment) == deployment, col(Batch.closed_at).is_(None)
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement.limit(1))).first() is not None

    async def open(self) -> list[OpenBatch]:
        """Every batch that is not settled, oldest first."""
        async with self._database.transaction() as connection:
            return [OpenBatch(**row._mapping) for row in await connection.execute(_OPEN)]

    def hold(self, batch_id: UUID) -> Hold:
        """Shows that a living process works on the batch, for as long as the block lasts.

        Raises:
            Rejected: another living run has this batch.
        """

        async def is_open(connection: Session) -> bool:
            row = await (await connection.execute(_IS_OPEN, (batch_id,))).fetchone()
            return bool(row and row[0])

        return Hold(self._database, str(batch_id), is_open)
