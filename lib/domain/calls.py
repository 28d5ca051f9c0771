"""Telephone calls as the portal's statistic tells them: what a row says, and what was read before.

A row appears when its call ends, and a PBX of one's own may bring calls that are days old, so new
rows are found by their ids, which only rise. A row may still change for a while: the portal binds
a call to a lead that is made of it. So rows of the last ``OVERLAP`` are read again.

Source: apidocs.bitrix24.com, voximplant.statistic.get, "Code and Type Reference"; 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from lib.domain.shape import Node, moment_from, whole_number_from

OVERLAP = timedelta(hours=2)  # the longest call, and the time people take to make a lead of one
EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)  # no call began before, see `moment_from`
ID_OVERLAP = 100  # ids are given out before their rows are committed, and not in that order

Direction = Literal["in", "out"]
Outcome = Literal["answered", "missed", "failed"]
Entity = Literal["LEAD", "CONTACT", "COMPANY"]

# Outgoing, incoming, incoming and redirected, callback, informational.
_DIRECTIONS: dict[str, Direction] = {"1": "out", "2": "in", "3": "in", "4": "out", "5": "out"}
_ENTITIES: dict[str, Entity] = {"LEAD": "LEAD", "CONTACT": "CONTACT", "COMPANY": "COMPANY"}
_ANSWERED, _MISSED = "200", "304"
_FAILED = frozenset(
    {"603", "603-S", "403", "404", "486", "484", "503", "480", "402", "423", "OTHER"}
)
_LONGEST_S = 2**31 - 1
_MAX_ID = 2**63 - 1
_TEXT_LIMIT = 200
_PHONE_LIMIT = 40
_WORD = re.compile(r"[A-Za-z_\-]*[0-9]{0,6}[A-Za-z_\-]*")


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        id: the statistic's.
        call_id: the telephony's.
        activity_id: the CRM's activity that was made of it, which knows what it is bound to.
        entity_type: what the statistic binds it to: one thing, and not always the lead.
        entity_id: the id of that.
        crm_ids: the CRM's leads that it belongs to.
        direction: from us or to us.
        outcome: ``answered``; ``missed``: nobody took an incoming one; ``failed``: the rest.
        seconds: how long they talked.
        started_at: when it began to ring.
    """

    id: int
    direction: Direction
    outcome: Outcome
    seconds: int
    started_at: datetime
    call_id: str | None = None
    activity_id: int | None = None
    entity_type: Entity | None = None
    entity_id: int | None = None
    crm_ids: tuple[int, ...] = ()
    phone: str | None = None
    failed_code: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is odd in a row, by name; ``value`` is the vendor's word, and never a person's.

    Names: ``unknown_entity``, ``unknown_type``, ``unknown_code``, ``bad_duration``: the call is
    counted all the same; ``bad_row``: it has no id or no time, and cannot be.
    """

    name: str
    id: int | None
    value: str


@dataclass(frozen=True, slots=True)
class Counts:
    """The calls of a lead.

    Attributes:
        incoming: to us, the missed ones too.
        seconds: of talk, in all.
        last_at: when the last of them began; None: there are none.
    """

    incoming: int = 0
    outgoing: int = 0
    missed: int = 0
    seconds: int = 0
    last_at: datetime | None = None

    @property
    def calls(self) -> int:
        """How many in all."""
        return self.incoming + self.outgoing


def read_calls(rows: Iterable[object]) -> tuple[list[Call], list[Problem]]:
    """Read rows of the statistic; one that comes twice is the later one.

    Returns:
        The calls by rising id, and what is odd in the rows.
    """
    calls: dict[int, Call] = {}
    problems: list[Problem] = []
    for row in rows:
        call = _call_from(row if isinstance(row, Mapping) else {}, problems)
        if call is not None:
            calls[call.id] = call
    return [calls[number] for number in sorted(calls)], problems


def lead_unknown(calls: Iterable[Call]) -> list[int]:
    """Activities of the calls that the statistic binds to something else than a lead."""
    return sorted({c.activity_id for c in calls if c.activity_id and not c.crm_ids})


def bound(calls: Iterable[Call], leads: Mapping[int, Sequence[int]]) -> list[Call]:
    """The calls, each with the leads that its activity is bound to.

    Args:
        calls: as read from the statistic.
        leads: the CRM's leads by activity.
    """
    return [
        replace(call, crm_ids=tuple(sorted(set(leads.get(call.activity_id or 0, ())))))
        if not call.crm_ids
        else call
        for call in calls
    ]


def counts_of(calls: Iterable[Call]) -> Counts:
    """The calls of one lead, counted; PostgreSQL counts the same way."""
    known = list(calls)
    return Counts(
        incoming=sum(call.direction == "in" for call in known),
        outgoing=sum(call.direction == "out" for call in known),
        missed=sum(call.outcome == "missed" for call in known),
        seconds=sum(call.seconds for call in known),
        last_at=max((call.started_at for call in known), default=None),
    )


def next_watermark(
    before: datetime | None, calls: Iterable[Call], now: datetime
) -> datetime | None:
    """Up to which moment everything was read, once these calls are stored.

    A call of the future, by a portal whose clock is ahead, does not move it.
    """
    seen = [call.started_at for call in calls if call.started_at <= now]
    return max([*seen, *([before] if before else [])], default=None)


def _call_from(row: Mapping[str, object], problems: list[Problem]) -> Call | None:
    node = Node(row, "call")
    number, at = _id(row.get("ID")), moment_from(row.get("CALL_START_DATE"))
    if number is None or at is None:
        problems.append(Problem("bad_row", number, "no time" if number else "no id"))
        return None
    kind, code = _text(row.get("CALL_TYPE")), _text(row.get("CALL_FAILED_CODE"))
    direction, seconds = _DIRECTIONS.get(kind), _seconds(row.get("CALL_DURATION"))
    entity, entity_id = _ENTITIES.get(_entity_word(row)), _id(row.get("CRM_ENTITY_ID"))
    found = {
        "unknown_type": kind if direction is None else None,
        "unknown_code": code if code not in {_ANSWERED, _MISSED} | _FAILED else None,
        "bad_duration": "" if seconds is None else None,
        "unknown_entity": _entity_word(row) if _is_odd(row, entity, entity_id) else None,
    }
    problems.extend(
        Problem(name, number, _word(value)) for name, value in found.items() if value is not None
    )
    is_bound = entity is not None and entity_id is not None
    return Call(
        id=number,
        direction=direction or "out",  # what nobody says came in must not be counted as missed
        outcome=_outcome(direction, code, seconds or 0),
        seconds=seconds or 0,
        started_at=at,
        call_id=node.maybe_text("CALL_ID", _TEXT_LIMIT),
        activity_id=_id(row.get("CRM_ACTIVITY_ID")),
        entity_type=entity if is_bound else None,
        entity_id=entity_id if is_bound else None,
        crm_ids=(entity_id,) if entity == "LEAD" and entity_id else (),
        phone=node.maybe_text("PHONE_NUMBER", _PHONE_LIMIT),
        failed_code=node.maybe_text("CALL_FAILED_CODE", _TEXT_LIMIT),
    )


def _outcome(direction: Direction | None, code: str, seconds: int) -> Outcome:
    if direction is None:
        return "failed"
    if code == _ANSWERED and seconds > 0:
        return "answered"
    return "missed" if code == _MISSED and direction == "in" else "failed"


def _is_odd(row: Mapping[str, object], entity: Entity | None, entity_id: int | None) -> bool:
    """Whether a call is bound to something that nobody knows; bound to nothing is not odd."""
    return bool(_entity_word(row)) and (entity is None or entity_id is None)


def _entity_word(row: Mapping[str, object]) -> str:
    return _text(row.get("CRM_ENTITY_TYPE")).strip().upper()


def _seconds(value: object) -> int | None:
    number = whole_number_from(value)
    return number if number is not None and 0 <= number <= _LONGEST_S else None


def _id(value: object) -> int | None:
    number = whole_number_from(value)
    return number if number is not None and 0 < number <= _MAX_ID else None


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _word(value: str) -> str:
    """A vendor's word for the log: a number as long as a phone's, or a text, is not shown."""
    return value if len(value) <= 24 and _WORD.fullmatch(value) else "…"
