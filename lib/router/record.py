"""The record of one call, filled while it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lib.domain.llm.table import Candidate
from lib.domain.llm.usage import Usage
from lib.router.outcomes import Try
from lib.store.llm.calls import Call


@dataclass(slots=True)
class Record:
    """One call of a key, or of a flow.

    Attributes:
        caller: the tool's or flow's name.
        key_id: None for a flow.
        outcome: ``ok``, ``cached``, ``failed``, ``cancelled`` or ``refused``.
    """

    caller: str
    key_id: int | None
    door: str
    name: str
    keeps_texts: bool = False
    outcome: str = "ok"
    status: int = 200
    reason: str | None = None
    tries: list[Try] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    first_token_ms: float = 0.0
    texts: dict[str, Any] | None = None
    _candidate: Candidate | None = None
    _began: float = field(default_factory=time.monotonic)
    _asked: float = field(default_factory=time.monotonic)

    def asking(self, candidate: Candidate) -> None:
        """A candidate is asked now."""
        self._candidate, self._asked = candidate, time.monotonic()

    def first_token(self) -> None:
        """Its first token is there."""
        self.first_token_ms = (time.monotonic() - self._asked) * 1000

    def tried(self, failed: Try) -> None:
        """A candidate did not answer."""
        self.tries.append(failed)

    def used(self, usage: Usage) -> None:
        """What it used."""
        self.usage = usage
        if not self.first_token_ms:
            self.first_token_ms = (time.monotonic() - self._asked) * 1000

    @property
    def answered_by(self) -> str | None:
        """``provider/model``; None: nobody was asked."""
        return self._candidate.name if self._candidate and self.outcome == "ok" else None

    def was_kept(self) -> None:
        """The answer was known."""
        self.outcome = "cached"

    def broke(self, reason: str) -> None:
        """The stream broke after its first token."""
        self.outcome, self.status, self.reason = "failed", 502, reason

    def ended(self, outcome: str, status: int, reason: str) -> None:
        """It was not answered."""
        self.outcome, self.status, self.reason = outcome, status, reason

    def call(self) -> Call:
        """The row."""
        candidate = self._candidate
        cached = self.outcome == "cached"
        return Call(
            at=datetime.now(UTC),
            key_id=self.key_id,
            caller=self.caller,
            door=self.door,
            alias=self.name,
            provider=candidate.provider if candidate and not cached else "",
            model=candidate.model if candidate and not cached else "",
            prompt_tokens=self.usage.prompt,
            cached_tokens=self.usage.cached,
            completion_tokens=self.usage.completion,
            price_usd=self.usage.price(candidate.price) if candidate else None,
            first_token_ms=self.first_token_ms or None,
            total_ms=(time.monotonic() - self._began) * 1000,
            outcome=self.outcome,
            status=self.status,
            reason=self.reason,
            tries=[each.noted() for each in self.tries],
            texts=self.texts if self.keeps_texts else None,
        )
