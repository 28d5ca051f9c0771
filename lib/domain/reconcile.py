"""What differs between our leads and the CRM's, and how each difference is mended.

Bitrix24 never repeats an event and answers get lost, so nothing here trusts what was told: what
is here and what is there are compared, and `plan` says what makes them equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

State = Literal["open", "won", "lost"]

FIRST_STAGE = "NEW"  # where the portal puts a lead that nobody has touched
_STATES: dict[str, State] = {"P": "open", "S": "won", "F": "lost"}
_PRIVATE = re.compile(r"[a-z]+:[^:]*:([1-9]\d{0,18}):\d+")


@dataclass(frozen=True, slots=True)
class Here:
    """One of our leads.

    Attributes:
        unsaid: words of it that the CRM does not surely have.
        deliveries: those that would bring it there, were they received once more; not what the
            CRM has refused.
        in_hands: a message of its person waits or is being worked on.
    """

    lead_id: int
    origin: str
    opened_at: datetime
    crm_id: int | None = None
    crm_linked: bool = False
    crm_stage: str | None = None
    crm_state: str | None = None
    crm_changed_at: datetime | None = None
    crm_deleted_at: datetime | None = None
    answered_at: datetime | None = None
    unsaid: bool = False
    deliveries: tuple[int, ...] = ()
    in_hands: bool = False


@dataclass(frozen=True, slots=True)
class There:
    """One lead of the CRM. ``origin`` is None unless it carries our ``originatorId``."""

    crm_id: int
    created_at: datetime
    updated_at: datetime
    origin: str | None = None
    stage: str | None = None
    semantic: str | None = None
    moved_at: datetime | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    company: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen there.

    Attributes:
        leads: those that were read.
        gone: ids that were asked for, and are no more.
        commented: when a person first commented on a lead, by its id there.
    """

    leads: tuple[There, ...] = ()
    gone: frozenset[int] = frozenset()
    commented: Mapping[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """What people made of a lead there; ``state`` is None when its status is not known to us."""

    stage: str | None
    state: State | None
    changed_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Resend:
    """It is not there, or some of its words are not: its messages go through ``leads`` again."""

    lead_id: int
    crm_id: int | None
    deliveries: tuple[int, ...]
    kind = "not_in_crm"
    done = "sent again"


@dataclass(frozen=True, slots=True)
class Adopt:
    """It is there with our origin, and unknown here: a row is made of its fields."""

    there: There
    source: str
    person: str
    status: Status
    lead_id = None
    kind = "unknown_here"
    done = "row made"

    @property
    def crm_id(self) -> int:
        """Its id there."""
        return self.there.crm_id


@dataclass(frozen=True, slots=True)
class Link:
    """It is in both, and we did not know where: ``was`` is what we had noted."""

    lead_id: int
    was: int | None
    crm_id: int
    kind = "not_linked"
    done = "linked"


@dataclass(frozen=True, slots=True)
class Change:
    """People changed it there; ``is_news``: its outcome is another one than before."""

    lead_id: int
    crm_id: int
    status: Status
    is_news: bool
    kind = "changed_there"
    done = "noted"


@dataclass(frozen=True, slots=True)
class Forget:
    """It is deleted there; the person's next message places it anew."""

    lead_id: int
    crm_id: int
    kind = "deleted_there"
    done = "noted"


Mend = Resend | Adopt | Link | Change | Forget


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and what a person should see.

    Attributes:
        unknown_statuses: semantics that we do not know, by the lead's id there.
        twins: leads there that carry the origin of an older one.
        stuck: leads here that no delivery can bring there: the CRM refused them.
    """

    mends: tuple[Mend, ...]
    unknown_statuses: Mapping[int, str] = field(default_factory=dict)
    twins: tuple[int, ...] = ()
    stuck: tuple[int, ...] = ()


def plan(here: Sequence[Here], look: Look) -> Plan:
    """Compare what is here with what is there.

    Args:
        here: every lead of ours that was looked for there, or whose origin was seen there, and
            those that are not there yet.
        look: what was seen, read before ``here`` was.
    """
    by_id = {lead.crm_id: lead for lead in look.leads}
    own, twins = _by_origin(look.leads)
    mends: list[Mend] = []
    for lead in here:
        mends += _mends_of(lead, own.get(lead.origin), by_id, look)
    known = {lead.origin for lead in here}
    moved = {mend.lead_id: mend.crm_id for mend in mends if isinstance(mend, Link)}
    # One that ours stands on, by another origin: its person wrote once more.
    noted = {moved.get(lead.lead_id, lead.crm_id) for lead in here}
    mends += [
        _adopted(there, look)
        for origin, there in own.items()
        if origin not in known and there.crm_id not in noted
    ]
    unknown = {
        there.crm_id: str(there.semantic) for there in look.leads if there.semantic not in _STATES
    }
    return Plan(tuple(mends), unknown, tuple(twins), tuple(_stuck(here, own)))


def state_from(semantic: str | None) -> State | None:
    """The outcome that a stage's semantic means; None when it is none that we know."""
    return _STATES.get(semantic or "")


def person_from(origin: str, crm_id: int) -> str:
    """Whose lead it is: of a private chat the other side; else nobody that we know."""
    chat = _PRIVATE.fullmatch(origin)
    return f"telegram:{chat[1]}" if chat else f"bitrix24:{crm_id}"


def _by_origin(leads: Iterable[There]) -> tuple[dict[str, There], list[int]]:
    """The oldest lead of every origin, and the ids of the others."""
    own: dict[str, There] = {}
    twins: list[int] = []
    for lead in sorted(leads, key=lambda each: each.crm_id):
        if lead.origin is not None and own.setdefault(lead.origin, lead) is not lead:
            twins.append(lead.crm_id)
    return own, twins


def _mends_of(
    lead: Here, own: There | None, by_id: Mapping[int, There], look: Look
) -> Iterable[Mend]:
    now = by_id.get(lead.crm_id) if lead.crm_id is not None else None
    is_gone = lead.crm_id is not None and lead.crm_id in look.gone
    if own is not None and lead.crm_id is None and lead.in_hands:
        return  # whoever has its message finds it there
    if own is not None and _is_elsewhere(lead, own, now, is_gone):
        yield Link(lead.lead_id, lead.crm_id, own.crm_id)
        lead = replace(lead, crm_id=own.crm_id, crm_linked=False, crm_changed_at=None)
        now = own
    elif is_gone:
        assert lead.crm_id is not None
        yield Forget(lead.lead_id, lead.crm_id)
        return
    if now is not None:
        yield from _change_of(lead, now, look)
    if _is_behind(lead) and lead.deliveries and not lead.in_hands:
        yield Resend(lead.lead_id, lead.crm_id, lead.deliveries)


def _is_elsewhere(lead: Here, own: There, now: There | None, is_gone: bool) -> bool:
    """Whether the lead there that carries our origin is another one than we have noted."""
    if lead.crm_id is None or is_gone:
        return True
    # A lead that we linked to carries no origin of ours; a twin carries the same.
    return now is not None and now.origin != lead.origin and not lead.crm_linked


def _is_behind(lead: Here) -> bool:
    return lead.unsaid if lead.crm_id is not None else lead.crm_deleted_at is None


def _stuck(here: Sequence[Here], own: Mapping[str, There]) -> Iterable[int]:
    for lead in here:
        is_new = lead.crm_id is None and lead.crm_deleted_at is None and lead.origin not in own
        if is_new and not lead.deliveries and not lead.in_hands:
            yield lead.lead_id


def _change_of(lead: Here, there: There, look: Look) -> Iterable[Change]:
    if lead.crm_changed_at is not None and there.updated_at < lead.crm_changed_at:
        return  # an older look than the one that was noted
    status = _status(there, look, lead)
    before = (lead.crm_stage, lead.crm_state, lead.answered_at)
    if (status.stage, status.state, status.answered_at) != before:
        is_news = status.state != lead.crm_state and (
            lead.crm_state is not None or status.state != "open"
        )
        yield Change(lead.lead_id, there.crm_id, status, is_news)


def _status(there: There, look: Look, lead: Here | None = None) -> Status:
    answered_at = lead.answered_at if lead else None
    if answered_at is None:
        answers = [look.commented.get(there.crm_id)]
        if there.stage not in (None, FIRST_STAGE):
            answers.append(there.moved_at)
        if lead is not None and lead.crm_linked:
            # What people did before the person wrote to us answers nothing; the CRM has seconds.
            asked_at = lead.opened_at.replace(microsecond=0)
            answers = [at for at in answers if at is not None and at >= asked_at]
        answered_at = min((at for at in answers if at is not None), default=None)
    return Status(there.stage, state_from(there.semantic), there.updated_at, answered_at)


def _adopted(there: There, look: Look) -> Adopt:
    assert there.origin is not None
    source = there.origin.partition(":")[0]
    return Adopt(there, source, person_from(there.origin, there.crm_id), _status(there, look))
