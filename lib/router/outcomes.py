"""Why a question was not answered, and what its record says."""

from __future__ import annotations

from dataclasses import dataclass, field

from lib.domain.llm.refusals import NoSuchModel, NotForThisModel
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable

CIRCUIT_OPEN = "circuit open"


class KeyForbids(Rejected):
    """The key may not ask for this model."""


class ClientTooSlow(Rejected):
    """The client does not read its answer."""


class OverLimit(RateLimited):
    """The key has used up its rate or its budget."""


class IsOpen(Unavailable):
    """The model's circuit opened before its turn came."""


@dataclass(frozen=True, slots=True)
class Try:
    """A candidate that did not answer.

    Attributes:
        reason: ours, without the provider's words: they may quote the prompt.
    """

    provider: str
    model: str
    reason: str
    ms: float
    said: str = field(default="", repr=False)

    def noted(self) -> dict[str, object]:
        """As the record keeps it."""
        return {
            "provider": self.provider,
            "model": self.model,
            "reason": self.reason,
            "ms": self.ms,
        }


class NobodyAnswered(Unavailable):
    """Every candidate failed; ``tries`` says which, and why."""

    def __init__(self, name: str, tries: list[Try], wait_s: float | None = None) -> None:
        super().__init__(name, tries, wait_s)
        self.tries = tries
        self.wait_s = wait_s

    def __str__(self) -> str:
        name, tries, wait_s = self.args
        if not tries:
            return f"{name}: every candidate failed lately; come again in {wait_s or 1:.0f} s"
        told = "; ".join(f"{each.provider}/{each.model}: {each.said}" for each in tries)
        return f"{name}: nobody answered: {told}"


def reason_of(error: PotokError) -> str:
    """A kind of failure in a word or two."""
    kinds: tuple[tuple[type[PotokError], str], ...] = (
        (ClientTooSlow, "the client does not read"),
        (NoSuchModel, "no model"),
        (NotForThisModel, "cannot do it"),
        (Denied, "denied"),
        (RateLimited, "rate limited"),
        (IsOpen, CIRCUIT_OPEN),
        (Unavailable, "unavailable"),
        (Rejected, "rejected"),
    )
    return next((word for kind, word in kinds if isinstance(error, kind)), type(error).__name__)
