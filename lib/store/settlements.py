"""What became of a delivery, and what its row is after that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lib.domain.batches import backoff_s, is_dead
from lib.domain.shape import clean_text

ERROR_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one delivery.

    Without an error it is done, or, not ``counted``, back in the inbox as if never taken.
    With one it is tried again after a pause, or, without ``retry``, dead at once. The next batch
    it is in has at most ``batch_limit`` deliveries.
    """

    delivery_id: int
    outcome: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    retry: bool = True
    retry_after_s: float = 0.0
    counted: bool = True
    batch_limit: int | None = None

    @classmethod
    def untouched(cls, delivery_id: int) -> Settlement:
        """Back in the inbox as if never taken."""
        return cls(delivery_id, counted=False)

    def changes(self, attempts: int, jitter: float) -> dict[str, Any]:
        """The row after it, of a delivery that had failed ``attempts`` times before."""
        row: dict[str, Any] = {
            "id": self.delivery_id,
            "outcome": self.outcome or None,
            "error": clean_text(self.error, ERROR_LIMIT) if self.error else None,
            "batch_limit": self.batch_limit,
            "wait_s": 0.0,
            "attempts": attempts,
        }
        if self.error is None:
            return row | {"state": "done" if self.counted else "received"}
        attempts += 1
        if not self.retry or is_dead(attempts):
            return row | {"state": "dead", "attempts": attempts}
        wait_s = max(self.retry_after_s, backoff_s(attempts, jitter))
        return row | {"state": "failed", "attempts": attempts, "wait_s": wait_s}
