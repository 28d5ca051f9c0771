"""Who has which deliveries: claiming, holding, settling, and giving back.

A batch is open from its claim until its run settles it or it is returned. The run that works on
it holds an advisory lock of PostgreSQL on a connection of its own, so a run that died is seen at
once and by no clock: its lock is free.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from lib.domain.batches import backoff_s, choose_batch, is_dead
from lib.domain.shape import clean_text
from lib.store.engine import Database
from lib.store.hold import Hold
from lib.store.tables import Batch, Delivery

CLAIM_LOCK = 7_150_002  # one claim at a time: that is what keeps a chat out of two runs

ERROR_LIMIT = 1000

RUNS_CHANNEL = "potok_runs"  # told when a flow run was created: the worker polls at once
INBOX_CHANNEL = "potok_inbox"  # told whenever a batch was closed: a run is free

BUSY = text("select lane, person from deliveries where state = 'claimed'")

# A delivery may be claimed when it is due, nobody works on its chat or its person, and nothing
# earlier in its chat has to wait: for a retry, or for a run that works on its own person. The last
# is a scalar subquery, which stays one look into an index for each candidate: as an anti-join the
# planner, who cannot know how many wait just now, made it a scan of all that wait.
CLAIMABLE = text(
    """
    select d.id, d.batch_limit from deliveries d
    where d.deployment = :deployment and d.state in ('received', 'failed')
      and d.due_at <= statement_timestamp()
      and d.lane <> all(cast(:lanes as text[])) and d.person <> all(cast(:persons as text[]))
      and (select true from deliveries b
           where b.lane = d.lane and b.id < d.id and b.state in ('received', 'failed')
             and (b.due_at > statement_timestamp() or b.person = any(cast(:persons as text[])))
           limit 1) is null
    order by d.id limit :limit for update of d skip locked
    """
)

_HELD_BACK = text(
    """
    select id, attempts from deliveries where batch_id = :batch and state = 'claimed'
    order by id for update
    """
)

_SETTLE = text(
    """
    update deliveries d set state = c.state, attempts = c.attempts, outcome = c.outcome,
      error = c.error, batch_limit = c.batch_limit,
      due_at = clock_timestamp() + make_interval(secs => c.wait_s),
      settled_at = case when c.state in ('done', 'dead') then clock_timestamp() end
    from jsonb_to_recordset(cast(:changes as jsonb)) as c(id bigint, state text, attempts int,
      outcome jsonb, error text, batch_limit int, wait_s float)
    where d.id = c.id
    """
)

_CLOSE = text(
    """
    update batches set closed_at = clock_timestamp(), ended = :ended
    where id = :batch and closed_at is null
    """
)

_WAKE = text(f"notify {INBOX_CHANNEL}")

_OPEN = text(
    """
    select id, deployment, flow_run_id, started_at is not null as started,
      exists (
        select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 1
          and l.database = (select oid from pg_database where datname = current_database())
          and (l.classid::bigint << 32) | l.objid::bigint = hashtextextended(batches.id::text, 0)
      ) as held
    from batches where closed_at is null order by created_at
    """
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in the hands of a run."""

    id: int
    key: str
    message: dict[str, Any]
    attempts: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one delivery.

    Without an error it is done, or, not ``counted``, back in the inbox as if never taken.
    With one it is tried again after a pause, or, without ``retry``, dead at once.
    """

    delivery_id: int
    outcome: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    retry: bool = True
    retry_after_s: float = 0.0
    counted: bool = True


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that is not settled; ``held`` says that a living run has it."""

    id: UUID
    deployment: str
    flow_run_id: UUID | None
    started: bool
    held: bool


class Batches:
    """The claims on the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, deployment: str, limit: int, max_open: int) -> UUID | None:
        """Claim what waits for a deployment as one batch.

        Args:
            deployment: ``flow/deployment`` whose deliveries to take.
            limit: the most deliveries in the batch.
            max_open: the most batches of this deployment that may be open at once.

        Returns:
            The batch, or None: nothing is due, or enough runs are busy.
        """
        open_now = select(func.count()).where(
            col(Batch.deployment) == deployment, col(Batch.closed_at).is_(None)
        )
        async with self._database.transaction() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
            if (await connection.execute(open_now)).scalar_one() >= max_open:
                return None
            busy = (await connection.execute(BUSY)).all()
            given = {
                "deployment": deployment,
                "limit": limit,
                "lanes": sorted({row.lane for row in busy}),
                "persons": sorted({row.person for row in busy}),
            }
            rows = await connection.execute(CLAIMABLE, given)
            chosen = choose_batch([(row.id, row.batch_limit) for row in rows], limit)
            if not chosen:
                return None
            batch_id = uuid4()
            await connection.execute(
                insert(Batch).values(id=batch_id, deployment=deployment, size=len(chosen))
            )
            await connection.execute(
                update(Delivery)
                .where(col(Delivery.id).in_(chosen))
                .values(state="claimed", batch_id=batch_id)
            )
        return batch_id

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
        self, batch_id: UUID, settlements: Sequence[Settlement], jitter: float
    ) -> list[int]:
        """Write what became of each delivery and close the batch, all in one transaction.

        Deliveries of the batch that are not named go back to the inbox. Deliveries that another
        run has got meanwhile are left alone.

        Returns:
            The deliveries that are dead now.
        """
        named = {s.delivery_id: s for s in settlements}
        async with self._database.transaction() as connection:
            rows = await connection.execute(_HELD_BACK, {"batch": batch_id})
            changes = [
                _change(
                    named.get(row.id) or Settlement(row.id, counted=False), row.attempts, jitter
                )
                for row in rows
            ]
            await connection.execute(_SETTLE, {"changes": orjson.dumps(changes).decode()})
            await connection.execute(_CLOSE, {"batch": batch_id, "ended": "settled"})
            await connection.execute(_WAKE)
        return [change["id"] for change in changes if change["state"] == "dead"]

    async def give_back(self, batch_id: UUID, reason: str, jitter: float) -> list[int]:
        """Return a dead run's deliveries to the inbox, each with one attempt more.

        The next batch they are in is a quarter of this one's size: a message that kills its
        process is alone after a few rounds and hurts nobody else.

        Returns:
            The deliveries that are dead now.
        """
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_HELD_BACK, {"batch": batch_id})).all()
            changes = [
                _change(Settlement(row.id, error=reason), row.attempts, jitter)
                | {"batch_limit": max(1, len(rows) // 4)}
                for row in rows
            ]
            await connection.execute(_SETTLE, {"changes": orjson.dumps(changes).decode()})
            await connection.execute(_CLOSE, {"batch": batch_id, "ended": "returned"})
            await connection.execute(_WAKE)
        return [change["id"] for change in changes if change["state"] == "dead"]

    async def describe(self, batch_id: UUID) -> tuple[int, str]:
        """How many deliveries a batch was made of, and the key of its first one."""
        keys = select(col(Delivery.key)).where(col(Delivery.batch_id) == batch_id)
        first = keys.order_by(col(Delivery.id)).limit(1).scalar_subquery()
        statement = select(col(Batch.size), first).where(col(Batch.id) == batch_id)
        async with self._database.transaction() as connection:
            size, key = (await connection.execute(statement)).one()
        return int(size), key or "empty"

    async def attach(self, batch_id: UUID, flow_run_id: UUID) -> None:
        """Note the flow run that was created for a batch."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(Batch).where(col(Batch.id) == batch_id).values(flow_run_id=flow_run_id)
            )
            await connection.execute(text(f"notify {RUNS_CHANNEL}"))

    async def open(self) -> list[OpenBatch]:
        """Every batch that is not settled, oldest first."""
        async with self._database.transaction() as connection:
            return [OpenBatch(**row._mapping) for row in await connection.execute(_OPEN)]

    @asynccontextmanager
    async def hold(self, batch_id: UUID) -> AsyncIterator[None]:
        """Show that a living process works on the batch, for as long as the block lasts.

        Should the connection break (PostgreSQL restarted), it is opened again; should another
        run have the batch by then, the block is cancelled.

        Raises:
            Rejected: another living run has this batch.
        """
        async with Hold(self._database, batch_id):
            yield


def _change(settlement: Settlement, attempts: int, jitter: float) -> dict[str, Any]:
    """The row after a settlement: done, failed until a time, or dead."""
    row: dict[str, Any] = {
        "id": settlement.delivery_id,
        "outcome": settlement.outcome or None,
        "error": clean_text(settlement.error, ERROR_LIMIT) if settlement.error else None,
        "batch_limit": None,
        "wait_s": 0.0,
        "attempts": attempts,
    }
    if settlement.error is None:
        return row | {"state": "done" if settlement.counted else "received"}
    attempts += 1
    if not settlement.retry or is_dead(attempts):
        return row | {"state": "dead", "attempts": attempts}
    wait_s = max(settlement.retry_after_s, backoff_s(attempts, jitter))
    return row | {"state": "failed", "attempts": attempts, "wait_s": wait_s}
