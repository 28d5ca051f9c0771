"""A lead: one open inquiry of one person, growing with every message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from lib.domain.inbound import InboundMessage, Sender
from lib.domain.inquiry import Inquiry, ReadBy, Urgency
from lib.domain.lines import one_line

LEAD_OPEN_FOR = timedelta(days=14)

# A change of these, unlike one of last_message_at, is for the CRM to know.
_TOLD_TO_CRM = (
    "name",
    "phone",
    "email",
    "company",
    "intent",
    "amount",
    "currency",
    "urgency",
    "summary",
    "language",
    "read_by",
)


class LeadState(BaseModel):
    """A lead as it is now.

    ``origin`` is the ref of the message that opened it, its natural key. ``version`` grows with
    every change that the CRM should see; ``crm_version`` is the one that it has. ``crm_linked``
    marks a lead that the CRM already had: its fields are not ours to change.
    """

    model_config = ConfigDict(frozen=True)

    id: int | None = None
    origin: str
    source: str
    person: str
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    company: str | None = None
    intent: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    urgency: Urgency | None = None
    summary: str | None = None
    language: str | None = None
    read_by: ReadBy = "rules"
    opened_at: datetime
    last_message_at: datetime
    version: int = 1
    crm_id: int | None = None
    crm_linked: bool = False
    crm_version: int = 0


def open_lead(
    leads: Iterable[LeadState], person: str, at: datetime, ref: str | None = None
) -> LeadState | None:
    """The lead that a message of this moment belongs to.

    Args:
        leads: leads, of this person or of others.
        person: `InboundMessage.person`.
        at: when it happened; a message that comes late may be older than the lead.
        ref: the message; a late edit of the one that opened a lead stays with that lead.

    Returns:
        The latest lead of the person whose last message is less than 14 days away; None: the
        next inquiry opens a new one.
    """
    near = [
        lead
        for lead in leads
        if lead.person == person
        and (
            lead.origin == ref
            or lead.opened_at - LEAD_OPEN_FOR < at < lead.last_message_at + LEAD_OPEN_FOR
        )
    ]
    return max(near, key=lambda lead: (lead.origin == ref, lead.last_message_at), default=None)


def grow(lead: LeadState | None, message: InboundMessage, inquiry: Inquiry) -> LeadState | None:
    """The lead after a message: opened by it, or grown.

    How to reach the person is only filled in, never overwritten. What they want follows their
    newest words. Applying the same message again changes nothing.

    Args:
        lead: the person's open lead, or None.
        message: the message.
        inquiry: what was read from it.

    Returns:
        The lead that the message belongs to; None when it belongs to none (spam, a deletion,
        and without an open lead whatever is no inquiry).
    """
    if message.kind == "deleted" or inquiry.why == "spam":
        return None
    if lead is None:
        return _opened(message, inquiry) if inquiry.is_lead else None
    grown = lead.model_copy(
        update=_contacts_after(lead, message, inquiry)
        | _wishes_after(lead, message, inquiry)
        | {"last_message_at": max(lead.last_message_at, message.occurred_at)}
    )
    is_news = any(getattr(grown, field) != getattr(lead, field) for field in _TOLD_TO_CRM)
    return grown.model_copy(update={"version": lead.version + 1}) if is_news else grown


def profile_name(sender: Sender) -> str | None:
    """What the sender is called in Telegram: the name of a lead until they say another."""
    name = one_line(sender.display_name or "", 100)
    return name or (f"@{sender.username}" if sender.username else None)


def _opened(message: InboundMessage, inquiry: Inquiry) -> LeadState:
    return LeadState(
        origin=message.ref,
        source=message.source,
        person=message.person,
        name=inquiry.name or profile_name(message.sender),
        phone=inquiry.phone,
        email=inquiry.email,
        company=inquiry.company,
        intent=inquiry.intent,
        amount=inquiry.amount,
        currency=inquiry.currency,
        urgency=inquiry.urgency,
        summary=inquiry.summary,
        language=inquiry.language,
        read_by=inquiry.read_by,
        opened_at=message.occurred_at,
        last_message_at=message.occurred_at,
    )


def _contacts_after(
    lead: LeadState, message: InboundMessage, inquiry: Inquiry
) -> dict[str, object]:
    profile = profile_name(message.sender)
    is_unnamed = lead.name is None or lead.name == profile
    return {
        "name": (inquiry.name or profile) if is_unnamed else lead.name,
        "phone": lead.phone or inquiry.phone,
        "email": lead.email or inquiry.email,
        "company": lead.company or inquiry.company,
        "language": lead.language or inquiry.language,
        "read_by": "rules+llm" if "rules+llm" in (lead.read_by, inquiry.read_by) else "rules",
    }


def _wishes_after(lead: LeadState, message: InboundMessage, inquiry: Inquiry) -> dict[str, object]:
    """Newer words replace, older ones (a message that came late) only fill in."""
    is_newer = message.occurred_at >= lead.last_message_at
    after: dict[str, object] = {}
    for field in ("intent", "urgency"):
        before, said = getattr(lead, field), getattr(inquiry, field)
        after[field] = said if said is not None and (is_newer or before is None) else before
    if inquiry.amount is not None and (is_newer or lead.amount is None):
        after |= {"amount": inquiry.amount, "currency": inquiry.currency}
    # «Спасибо» or a bare phone says nothing new about the wish.
    has_substance = inquiry.intent is not None or inquiry.amount is not None
    if inquiry.summary and (lead.summary is None or (is_newer and has_substance)):
        after["summary"] = inquiry.summary
    return after
