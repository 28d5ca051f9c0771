"""Prefect as the dispatcher sees it, in memory: our own protocol, so our own implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from lib.errors import Rejected, Unavailable


class MemoryRuns:
    """Flow runs by idempotency key, with states that a test sets.

    Attributes:
        by_id: the state of each run.
        refuses: while true, nothing is deployed.
        away: while true, every question is Unavailable.
        created: every accepted request to create a run, also of one that was there.
        crashed: what was said about each run that was crashed.
    """

    def __init__(self) -> None:
        self.away = False
        self.refuses = False
        self.by_key: dict[str, UUID] = {}
        self.by_id: dict[UUID, str] = {}
        self.created: list[dict[str, Any]] = []
        self.crashed: dict[UUID, str] = {}

    async def check(self, deployment: str) -> None:
        """Raise unless runs are taken."""
        self._check()
        if self.refuses:
            raise Rejected("it is not deployed")

    async def start(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str, tags: list[str]
    ) -> UUID:
        """Create a run, Running; the same key gives the same run."""
        self._check()
        self.created.append(
            {"deployment": deployment, "key": key, "name": name, "tags": tags, **parameters}
        )
        run_id = self.by_key.setdefault(key, uuid4())
        self.by_id.setdefault(run_id, "RUNNING")
        return run_id

    async def find(self, key: str) -> UUID | None:
        """The run of a key, if there is one."""
        self._check()
        return self.by_key.get(key)

    async def states(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """State types of those runs that are there."""
        if ids:
            self._check()
        return {run_id: self.by_id[run_id] for run_id in ids if run_id in self.by_id}

    async def crash(self, run_id: UUID, message: str) -> None:
        """Show a run as Crashed."""
        self._check()
        self.by_id[run_id] = "CRASHED"
        self.crashed[run_id] = message

    @property
    def batch_ids(self) -> list[UUID]:
        """The batches that have a run, in the order they were started."""
        return list(dict.fromkeys(UUID(each["batch_id"]) for each in self.created))

    def run_of(self, batch_id: UUID) -> UUID:
        """The run of a batch."""
        return self.by_key[f"batch:{batch_id}"]

    def _check(self) -> None:
        if self.away:
            raise Unavailable("Prefect is away")
