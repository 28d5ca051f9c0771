"""The inbox: what was accepted is here until it is done, and stays findable after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from lib.store.engine import Database
from lib.store.tables import Batch, Delivery

STATES = ("received", "claimed", "failed", "done", "dead")


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
    """Accepting deliveries and looking at them; claiming them is ``lib.store.batches``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, delivery: NewDelivery) -> bool:
        """Commit a delivery.

        Returns:
            False when its key was here before: nothing was done then.

        Raises:
            Unavailable: it is not committed, or nobody knows; send it again.
        """
        values = insert(Delivery).values(
            key=delivery.key,
            deployment=delivery.deployment,
            source=delivery.source,
            lane=delivery.lane,
            person=delivery.person,
            message=delivery.message,
            raw=delivery.raw,
        )
        row = values.on_conflict_do_nothing(index_elements=["key"]).returning(col(Delivery.id))
        async with self._database.transaction() as connection:
            return (await connection.execute(row)).first() is not None

    async def counts(self) -> dict[str, int]:
        """Deliveries by state; every state is there, also with zero."""
        statement = select(col(Delivery.state), func.count()).group_by(col(Delivery.state))
        async with self._database.transaction() as connection:
            found = {state: int(number) for state, number in await connection.execute(statement)}
        return {state: found.get(state, 0) for state in STATES}

    async def waiting(self) -> tuple[int, float]:
        """How many are not settled yet, and how many seconds ago the oldest of them came."""
        oldest = func.extract("epoch", func.clock_timestamp() - func.min(col(Delivery.received_at)))
        statement = select(func.count(), func.coalesce(oldest, 0.0)).where(
            col(Delivery.state).in_(("received", "failed", "claimed"))
        )
        async with self._database.transaction() as connection:
            count, age_s = (await connection.execute(statement)).one()
        return int(count), float(age_s)

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
