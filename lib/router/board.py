"""How each model is doing: circuits of this process, and what the last probes found."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from lib.domain.llm.choice import Health, ordered
from lib.domain.llm.circuit import Circuit
from lib.domain.llm.table import Alias, Candidate, Price
from lib.errors import Unavailable
from lib.store.failures import StatementFailed
from lib.store.llm.health import Health as Probed

log = logging.getLogger(__name__)

REFRESH_S = 5.0
BELIEVED_FOR = timedelta(minutes=15)  # three probes
NEWEST = 0.3  # how much the newest call counts in a model's time to its first token


class Healths(Protocol):
    """Where the probes' findings are."""

    async def read(self) -> list[Probed]:
        """The newest finding of each model."""


class Board:
    """What is known of each model, by ``provider/model``."""

    def __init__(self, healths: Healths, clock: Callable[[], float] = time.monotonic) -> None:
        self._healths = healths
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}
        self._first_token_ms: dict[str, float] = {}
        self._probed: dict[str, Health] = {}
        self._prices: dict[str, Price] = {}

    async def watch(self) -> None:
        """Follow the probes for ever."""
        while True:
            try:
                await self.read()
            except (Unavailable, StatementFailed) as exc:
                log.warning("health.not_read reason=%s", exc)
            await asyncio.sleep(REFRESH_S)

    async def read(self) -> None:
        """Read what the probes found; old findings are not believed, but for their prices."""
        since, probed = datetime.now(UTC) - BELIEVED_FOR, {}
        for found in await self._healths.read():
            name, price = f"{found.provider}/{found.model}", _price(found)
            if price is not None:
                self._prices[name] = price
            if found.checked_at > since:
                total = None if price is None else price.input + price.output
                probed[name] = Health(found.ok, found.first_token_ms, total)
        self._probed = probed

    def candidates(self, alias: Alias) -> list[Candidate]:
        """Who is to be tried, the best first; nobody when every circuit is open."""
        today = datetime.now(UTC).date()
        return ordered(alias, self.health(alias), self.wait_s, today)

    def health(self, alias: Alias) -> dict[str, Health]:
        """What is known of an alias' candidates; the calls' own times count over the probes'."""
        found = {}
        for name in (candidate.name for candidate in alias.candidates):
            probed = self._probed.get(name, Health())
            ms = self._first_token_ms.get(name, probed.first_token_ms)
            found[name] = Health(probed.ok, ms, probed.price)
        return found

    def priced(self, candidate: Candidate) -> Candidate:
        """The candidate, with the price that its provider lists where the table has none."""
        price = self._prices.get(candidate.name)
        if candidate.price is not None or price is None:
            return candidate
        return candidate.model_copy(update={"price": price})

    def wait_s(self, name: str) -> float:
        """Seconds until a model's circuit lets a try through."""
        circuit = self._circuits.get(name)
        return 0.0 if circuit is None else circuit.wait_s(self._clock())

    def began(self, name: str) -> None:
        """A try begins."""
        if (circuit := self._circuits.get(name)) is not None:
            circuit.began(self._clock())

    def answered(self, name: str, first_token_ms: float | None = None) -> None:
        """It answered; None: as a whole, without a first token."""
        self._circuits.pop(name, None)
        if first_token_ms is None:
            return
        before = self._first_token_ms.get(name, first_token_ms)
        self._first_token_ms[name] = before + NEWEST * (first_token_ms - before)

    def failed(self, name: str, retry_after_s: float | None = None) -> None:
        """It did not answer."""
        self._circuits.setdefault(name, Circuit()).failed(self._clock(), retry_after_s)

    def given_up(self, name: str) -> None:
        """The try says nothing of the model."""
        if (circuit := self._circuits.get(name)) is not None:
            circuit.given_up()


def _price(found: Probed) -> Price | None:
    if found.price_in_usd is None or found.price_out_usd is None:
        return None
    return Price(input=found.price_in_usd, output=found.price_out_usd)
