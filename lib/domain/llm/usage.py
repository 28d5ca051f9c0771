"""What a call has used."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from lib.domain.llm.table import USD_PLACES, Price


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call, and its price where the provider says it.

    Attributes:
        prompt: tokens that went in, ``cached`` among them.
        cached: of which the provider had already.
        completion: tokens that came out.
        usd: US dollars, as the provider says; None: it does not.
        sound_s: seconds of a recording that was heard.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    usd: Decimal | None = None
    sound_s: float = 0.0

    def price(self, price: Price | None) -> Decimal | None:
        """US dollars: the provider's word, else by the table; None: nobody knows."""
        if self.usd is not None:
            return self.usd
        if price is None:
            return None
        return price.of(self.prompt, self.cached, self.completion, self.sound_s)


def usage_from(said: Any) -> Usage:
    """The ``usage`` of a chat answer, chunk or embedding; what is absent or no number is 0."""
    if not isinstance(said, dict):
        return Usage()
    details = said.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(
        _count(said.get("prompt_tokens")),
        _count(cached),
        _count(said.get("completion_tokens")),
        _usd(said.get("cost")),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value < 1_000_000_000 else 0


def _usd(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        usd = Decimal(str(value))
    except InvalidOperation:
        return None
    return round(usd, USD_PLACES) if usd.is_finite() and 0 <= usd < 100_000 else None
