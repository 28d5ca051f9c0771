"""Rules of the inbox: what goes together, when to try again, when to give up, what waits."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

MAX_ATTEMPTS = 8

_PAUSES_S = (2.0, 8.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
_LONGEST_PAUSE_S = 3600.0
_SPREAD = 0.2

Id = TypeVar("Id", bound=Hashable)


def backoff_s(attempt: int, jitter: float) -> float:
    """Seconds to wait after a failed attempt: 2 s, 8 s, 30 s, 2 min, 10 min, … at most 1 h.

    Args:
        attempt: which attempt failed, from 1.
        jitter: 0..1; adds up to a fifth, so that what failed together does not return together.
    """
    pause_s = _PAUSES_S[min(max(attempt, 1), len(_PAUSES_S)) - 1]
    return min(pause_s * (1 + _SPREAD * min(max(jitter, 0.0), 1.0)), _LONGEST_PAUSE_S)


def is_dead(attempts: int) -> bool:
    """Whether so many failed attempts are enough; then a person is told."""
    return attempts >= MAX_ATTEMPTS


def choose_batch(waiting: Sequence[tuple[Id, int | None]], limit: int) -> list[Id]:
    """Those of the waiting deliveries that go into the next batch.

    Args:
        waiting: ids in the order they came, each with the largest batch it may be in; None: any.
        limit: the largest batch of all.

    Returns:
        The longest beginning that no limit forbids: to skip one would let a later message of its
        chat overtake it. Never empty when something waits.
    """
    chosen: list[Id] = []
    room = max(limit, 1)
    for delivery_id, own_limit in waiting:
        room = min(room, max(own_limit, 1)) if own_limit is not None else room
        if len(chosen) >= room:
            break
        chosen.append(delivery_id)
    return chosen


def hold_back(lanes_in_order: Sequence[tuple[Id, str]], failed: AbstractSet[Id]) -> set[Id]:
    """Deliveries that must wait because an earlier one of their lane failed and will be retried.

    Args:
        lanes_in_order: (id, lane) of a batch, in the order the messages came.
        failed: ids that failed. One that is dead is not among them: nothing waits for it.

    Returns:
        Ids to return to the inbox; never one of ``failed``.
    """
    stopped: set[str] = set()
    held: set[Id] = set()
    for delivery_id, lane in lanes_in_order:
        if delivery_id in failed:
            stopped.add(lane)
        elif lane in stopped:
            held.add(delivery_id)
    return held
