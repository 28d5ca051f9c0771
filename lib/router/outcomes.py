"""Why a question was not answered, and what its record says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lib.domain.llm.refusals import NoSuchModel, NotForThisModel
from lib.domain.llm.table import UnknownModel
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable
from lib.store.llm.calls import UNKNOWN

CIRCUIT_OPEN, NO_MODEL, CANNOT = "circuit open", "no model", "cannot do it"


class KeyForbids(Rejected):
    """The key may not ask for this model."""


class ClientTooSlow(Rejected):
    """The client does not read its answer."""


class OverLimit(RateLimited):
    """The key has used up its rate or its budget."""


class IsOpen(Unavailable):
    """The model's circuit opened before its turn came.

    Args:
        wait_s: until it is tried again.
    """

    def __init__(self, wait_s: float) -> None:
        until = datetime.now(UTC) + timedelta(seconds=wait_s)
        super().__init__(f"it failed too often; its circuit is open until {until:%H:%M:%S} UTC")


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
    """Every candidate failed; ``tries`` says which, and why.

    Attributes:
        wait_s: until the first of them may be asked again.
        is_alias: the name is the table's; else the client named a real model himself.
    """

    def __init__(
        self,
        name: str,
        tries: list[Try],
        wait_s: float | None = None,
        *,
        is_alias: bool = True,
    ) -> None:
        super().__init__(name, tries, wait_s)
        self.tries = tries
        self.wait_s = wait_s
        self.is_alias = is_alias

    def __str__(self) -> str:
        name, tries, wait_s = self.args
        if not tries:
            return (
                f"{name}: every candidate failed lately and is left alone for a while; come again"
                f" in {max(wait_s or 1, 1):.0f} s"
            )
        told = "; ".join(f"{each.provider}/{each.model}: {each.said}" for each in tries)
        return f"{name}: nobody answered: {told}"


def reason_of(error: PotokError) -> str:
    """A kind of failure in a word or two."""
    kinds: tuple[tuple[type[PotokError], str], ...] = (
        (ClientTooSlow, "the client does not read"),
        (UnknownModel, UNKNOWN),
        (NoSuchModel, NO_MODEL),
        (NotForThisModel, CANNOT),
        (Denied, "denied"),
        (RateLimited, "rate limited"),
        (IsOpen, CIRCUIT_OPEN),
        (Unavailable, "unavailable"),
        (Rejected, "rejected"),
    )
    return next((word for kind, word in kinds if isinstance(error, kind)), type(error).__name__)
