"""Who gets which deliveries: one claim at a time, so that a chat is never in two runs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lib.domain.batches import choose_batch
from lib.store.engine import Database

NO_LIMIT = 2**31 - 1
CLAIM_LOCK = 7_150_002

_LOCK = text(f"select pg_advisory_xact_lock({CLAIM_LOCK})")

# A delivery may be claimed when it is new or due, nobody works on its chat or its person, and
# nothing earlier in its chat has to wait: for a retry, or for a run that works on its own person.
# The last is a scalar subquery, which stays one look into an index for each candidate: as an
# anti-join the planner, who cannot know how many wait just now, made it a scan of all that wait.
# What failed later than now is due: the clock was put back.
CLAIMABLE = text(
    """
    select d.id, d.key, d.batch_limit from deliveries d
    where d.deployment = :deployment and d.state in ('received', 'failed')
      and :max_open > (select count(*) from batches
                       where deployment = :deployment and closed_at is null)
      and (cast(:only as uuid) is null or d.batch_id = :only)
      and (d.state = 'received'
           or d.due_at <= statement_timestamp() or d.failed_at > statement_timestamp())
      and d.lane <> all(array(select lane from deliveries where state = 'claimed'))
      and d.person <> all(array(select person from deliveries where state = 'claimed'))
      and (select true from deliveries b
           where b.lane = d.lane and b.id < d.id and b.state in ('received', 'failed')
             and (b.due_at > statement_timestamp() and b.failed_at <= statement_timestamp()
                  or b.person = any(array(select person from deliveries where state = 'claimed')))
           limit 1) is null
    order by d.id limit :limit for update of d skip locked
    """
)

_CLAIM = text(
    """
    with opened as (
      insert into batches (id, deployment, size) values (:batch, :deployment, :size)
      on conflict (id) do update set closed_at = null, ended = null
    )
    update deliveries set state = 'claimed', batch_id = :batch where id = any(:chosen)
    """
)

_CLOSED = text("select deployment, size from batches where id = :batch and closed_at is not null")

_WAITS = text(
    """
    select exists (select from deliveries
      where deployment = :deployment and state in ('received', 'failed', 'claimed'))
    """
)

_BRING_BACK = text(
    """
    update deliveries set state = 'received', attempts = 0, batch_limit = null, settled_at = null,
      due_at = statement_timestamp()
    where batch_id = :batch and state in ('failed', 'dead')
    """
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that was just claimed: how many deliveries, and the key of the first."""

    batch_id: UUID
    deployment: str
    size: int
    first_key: str


class Claims:
    """Claims on the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, deployment: str, limit: int, max_open: int) -> Claim | None:
        """Claim what waits for a deployment as one batch.

        Args:
            deployment: ``flow/deployment`` whose deliveries to take.
            limit: the most deliveries in the batch.
            max_open: the most batches of this deployment that may be open at once.

        Returns:
            The batch, or None: nothing is due, or enough runs are busy.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK)
            return await _claim(connection, uuid4(), deployment, limit, max_open)

    async def wait(self, deployment: str) -> bool:
        """Whether anything that is not done waits for a deployment."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(_WAITS, {"deployment": deployment})).scalar())

    async def reopen(self, batch_id: UUID) -> Claim | None:
        """Claim again, for a run that a person repeats, what a closed batch has not done.

        What is dead, or waits for its time, counts as new and due; what another run has got
        meanwhile, or must wait for one, is left.

        Returns:
            The batch, or None: all is done, or it is still open.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK)
            rows = await connection.execute(_CLOSED, {"batch": batch_id})
            batch = rows.first()
            if batch is None:
                return None
            await connection.execute(_BRING_BACK, {"batch": batch_id})
            return await _claim(
                connection, batch_id, batch.deployment, batch.size, NO_LIMIT, only=batch_id
            )


async def _claim(
    connection: AsyncConnection,
    batch_id: UUID,
    deployment: str,
    limit: int,
    max_open: int,
    only: UUID | None = None,
) -> Claim | None:
    given = {"deployment": deployment, "limit": limit, "max_open": max_open, "only": only}
    rows = (await connection.execute(CLAIMABLE, given)).all()
    chosen = choose_batch([(row.id, row.batch_limit) for row in rows], limit)
    if not chosen:
        return None
    claim = Claim(batch_id, deployment, len(chosen), rows[0].key)
    opened = {"batch": batch_id, "deployment": deployment, "size": claim.size, "chosen": chosen}
    await connection.execute(_CLAIM, opened)
    return claim
