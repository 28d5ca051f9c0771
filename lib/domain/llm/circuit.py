"""A circuit for each model of a provider: one that keeps failing is left alone for a while.

closed ──3 failures in a row──► open ──after its pause──► half-open: one try
  ▲                               ▲                            │
  └────────── it went well ───────┼────────────────────────────┤
                                  └── it failed: twice as long ─┘

Source: martinfowler.com/bliki/CircuitBreaker.html, read 2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass

FAILURES = 3
PAUSE_S = 5.0
LONGEST_PAUSE_S = 120.0
TRIAL_S = 60.0  # a trial that nobody ended by then is forgotten


@dataclass(slots=True)
class Circuit:
    """What is known of one model. Times are of any clock that only goes forward, in seconds."""

    failures: int = 0
    pause_s: float = PAUSE_S
    open_until: float | None = None
    trial_at: float | None = None

    def wait_s(self, now: float) -> float:
        """Seconds until it may be tried; 0: now."""
        if self.open_until is None:
            return 0.0
        if self.trial_at is not None and now < self.trial_at + TRIAL_S:
            return max(self.open_until - now, 0.5)
        return max(self.open_until - now, 0.0)

    def began(self, now: float) -> None:
        """A try begins; while it is half-open, no other does."""
        if self.open_until is not None:
            self.trial_at = now

    def went_well(self) -> None:
        """It answered: closed."""
        self.failures, self.pause_s, self.open_until, self.trial_at = 0, PAUSE_S, None, None

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """It did not answer; one that says when to come back is believed."""
        self.failures += 1
        was_open, self.trial_at = self.open_until is not None, None
        if was_open and now >= (self.open_until or now):
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        if retry_after_s is not None:
            self.open_until = now + min(retry_after_s, LONGEST_PAUSE_S)
        elif was_open or self.failures >= FAILURES:
            self.open_until = now + self.pause_s

    def given_up(self) -> None:
        """The try ended for a reason that says nothing of the model: the client left."""
        self.trial_at = None
