"""The way of messages from the webhook to the CRM, by the clocks of both databases."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.bench.figures import percentile
from tests.bench.house import House

_WAYS = """
    select d.received_at, d.outcome, b.id as batch_id, b.size, b.created_at as claimed_at,
      b.started_at, b.flow_run_id, l.created_at as stored_at, l.crm_at
    from deliveries d left join batches b on b.id = d.batch_id
    left join lead_messages m on m.delivery_id = d.id left join leads l on l.id = m.lead_id
    where d.id > %s order by d.id
"""
_STATES = """
    select flow_run_id, type::text as type, min(timestamp) as at from flow_run_state
    where flow_run_id = any(%s) group by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One message's; what did not happen, or cannot be told, is None."""

    received_at: datetime
    crm_at: datetime | None
    batch_id: Any
    batch_size: int | None
    points: dict[str, datetime | None]

    @property
    def crm_ms(self) -> float | None:
        """Milliseconds from the commit of the delivery to the CRM's recorded answer."""
        return _ms(self.received_at, self.crm_at) if self.crm_at else None


async def ways_of(house: House, after: int) -> list[Way]:
    """The ways of all deliveries after one."""
    rows = await (await house.potok.execute(_WAYS, (after,))).fetchall()
    runs = list({row["flow_run_id"] for row in rows if row["flow_run_id"]})
    states: dict[Any, dict[str, datetime]] = {}
    for state in await (await house.prefect.execute(_STATES, (runs,))).fetchall():
        states.setdefault(state["flow_run_id"], {})[state["type"]] = state["at"]
    return [_way(row, states.get(row["flow_run_id"], {})) for row in rows]


def crm_times_ms(ways: list[Way]) -> list[float]:
    """Webhook → CRM of those that have arrived."""
    return [way.crm_ms for way in ways if way.crm_ms is not None]


def step_lines(ways: list[Way]) -> list[str]:
    """The median of each step and its share of the median way; a step that is not told is left out.

    A negative step began before the one above it was written down.
    """
    there = [way for way in ways if way.crm_at]
    if not there:
        return ["no message has arrived"]
    steps: dict[str, list[float]] = {}
    for way in there:
        before = way.received_at
        for name, at in way.points.items():
            if at is not None:
                steps.setdefault(name, []).append(_ms(before, at))
                before = at
    whole = percentile(crm_times_ms(there), 50)
    names = [name for name in there[0].points if name in steps]
    medians = {name: statistics.median(steps[name]) for name in names}
    return [
        f"{name:<22} {ms:7.1f} ms  {ms / whole:6.1%}"
        + ("   (after the CRM's answer)" if name == "run Completed" else "")
        for name, ms in medians.items()
    ]


def batch_line(ways: list[Way]) -> str:
    """How the messages were batched."""
    sizes = {way.batch_id: way.batch_size for way in ways if way.batch_size}
    ordered = sorted(size for size in sizes.values() if size)
    if not ordered:
        return "no batch"
    middle = statistics.median(ordered)
    return f"{len(ordered)} runs; messages in a run {ordered[0]}–{middle:.0f}–{ordered[-1]}"


def _way(row: dict[str, Any], states: dict[str, datetime]) -> Way:
    spent_ms = (row["outcome"] or {}).get("ms") or {}
    taken, read = row["started_at"], spent_ms.get("read")
    is_told = taken is not None and read is not None
    read_at = taken + timedelta(milliseconds=read or 0) if is_told else None
    points = {
        "claimed": row["claimed_at"],
        "run created": states.get("SCHEDULED"),
        "run Pending": states.get("PENDING"),
        "run Running": states.get("RUNNING"),
        "batch taken": taken,
        "read (rules and LLM)": read_at,
        "lead stored": row["stored_at"],
        "lead in the CRM": row["crm_at"],
        "run Completed": states.get("COMPLETED"),
    }
    return Way(row["received_at"], row["crm_at"], row["batch_id"], row["size"], points)


def _ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000
