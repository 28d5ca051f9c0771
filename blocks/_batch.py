"""A batch of messages on its way through a flow."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from lib.domain.batches import hold_back
from lib.domain.inbound import InboundMessage
from lib.domain.inquiry import Inquiry
from lib.domain.leads import LeadState
from lib.errors import Denied, PotokError, RateLimited, Unavailable
from lib.store.failures import StatementFailed
from lib.store.settlements import Settlement

log = logging.getLogger(__name__)


@dataclass(slots=True)
class BatchItem:
    """One message, and what became of it so far.

    Attributes:
        delivery_id: its row in the inbox.
        received_at: when it was committed.
        message: what came in.
        inquiry: what was read from it.
        lead: the lead that it belongs to; None: it makes none.
        error: why it failed; then it goes no further.
        is_to_be_heard: its recordings are; it comes again with what they say.
        ms: milliseconds that each stage took.
    """

    delivery_id: int
    key: str
    received_at: datetime
    message: InboundMessage
    inquiry: Inquiry | None = None
    lead: LeadState | None = None
    error: BaseException | None = None
    is_to_be_heard: bool = False
    ms: dict[str, int] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """In a word: ``lead``, the reason why there is none, ``to be heard``, or ``failed``."""
        if self.error is not None:
            return "failed"
        if self.lead is not None:
            return "lead"
        if self.is_to_be_heard:
            return "to be heard"
        return self.inquiry.why if self.inquiry else "held back"

    @property
    def is_worth_a_retry(self) -> bool:
        """Whether the same message may succeed later. A bug's error is unknown, so yes."""
        return _may_succeed_later(self.error)


def settlement_of(
    delivery_id: int, outcome: dict[str, Any], error: BaseException | None
) -> Settlement:
    """What the inbox is told of a delivery."""
    if error is None:
        return Settlement(delivery_id, outcome)
    return Settlement(
        delivery_id,
        outcome,
        error=error_text(error),
        retry=_may_succeed_later(error),
        retry_after_s=error.retry_after_s if isinstance(error, RateLimited) else 0.0,
    )


def _may_succeed_later(error: BaseException | None) -> bool:
    return not isinstance(error, PotokError) or isinstance(error, Unavailable | Denied)


class LeadBatch:
    """The messages of one run. A plain class, so that Prefect does not walk through its items."""

    def __init__(self, batch_id: UUID, items: Sequence[BatchItem]) -> None:
        self.batch_id = batch_id
        self.items = list(items)
        self.dead: list[int] = []

    def outcomes(self) -> dict[int, str]:
        """Outcomes by delivery id; ``dead``: not tried again; ``held back`` behind one that is."""
        going = {item.delivery_id for item in self.going}
        found = {}
        for item in self.items:
            is_held = item.error is None and item.delivery_id not in going
            is_dead = item.delivery_id in self.dead
            found[item.delivery_id] = (
                "dead" if is_dead else "held back" if is_held else item.outcome
            )
        return found

    @property
    def going(self) -> list[BatchItem]:
        """Those that have not failed, in order, without those behind a failed one of their chat."""
        lanes = [(item.delivery_id, item.message.lane) for item in self.items]
        to_retry = {i.delivery_id for i in self.items if i.error and i.is_worth_a_retry}
        held = hold_back(lanes, to_retry)
        return [i for i in self.items if i.error is None and i.delivery_id not in held]

    def fail(self, items: Sequence[BatchItem], error: PotokError) -> None:
        """A whole stage failed: so have all of its messages."""
        for item in items:
            item.error = error
        log.error("batch.failed size=%d kind=%s reason=%s", len(items), type(error).__name__, error)

    async def bulk(
        self, work: Callable[[list[BatchItem]], Awaitable[None]], items: list[BatchItem]
    ) -> None:
        """Do something for all items at once, or, when that fails, for each by itself.

        Raises:
            Unavailable: the far side is away: nobody's message is to blame.
        """
        if not items:
            return
        try:
            await work(items)
        except Unavailable:
            raise
        except Exception as exc:  # it is found below whose message it is
            log.warning("batch.one_by_one size=%d kind=%s", len(items), type(exc).__name__)
            for item in items:
                if any(item is one for one in self.going):  # not behind one that just failed
                    await self.each(lambda one: work([one]), [item])
                if isinstance(item.error, Unavailable):
                    error, item.error = item.error, None
                    raise error from exc

    async def each(
        self, work: Callable[[BatchItem], Awaitable[None]], items: Sequence[BatchItem]
    ) -> None:
        """Do something for every item, all at once; an error stays with its item."""

        async def alone(item: BatchItem) -> None:
            try:
                await work(item)
            except Exception as exc:  # noqa: BLE001 — one bad message never hurts its batch
                item.error = exc
                log.error("message.failed ref=%s error=%s", item.message.ref, error_text(exc))

        await asyncio.gather(*(alone(item) for item in items))


def error_text(error: BaseException) -> str:
    """An error for people: its kind, and its words or, not being ours, where it arose.

    A foreign error's own words may hold a person's.
    """
    kind = type(error).__name__
    if isinstance(error, PotokError | StatementFailed) or error.__traceback__ is None:
        return f"{kind}: {error}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{kind} at {place.name}:{place.lineno}"
