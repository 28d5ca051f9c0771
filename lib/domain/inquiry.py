"""What a message says about an inquiry, as rules alone can tell."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lib.domain.contacts import company_in, emails_in, phone_from, phones_in
from lib.domain.inbound import InboundMessage
from lib.domain.lines import one_line
from lib.domain.money import amount_in
from lib.domain.names import person_name
from lib.domain.wishes import intent_in, is_request, is_small_talk, is_spam, language_of, urgency_in

Why = Literal["lead", "small_talk", "spam", "no_request"]
Urgency = Literal["low", "normal", "high"]
ReadBy = Literal["rules", "rules+llm"]

SUMMARY_LIMIT = 300


class Inquiry(BaseModel):
    """What was read from one message.

    Attributes:
        is_lead: whether it opens a lead when the person has none open.
        why: the reason, also for no lead.
        phone: E.164.
        amount: in whole units of ``currency`` (ISO 4217).
        language: ISO 639-1.
        read_by: ``rules`` when no LLM answered in time.
    """

    model_config = ConfigDict(frozen=True)

    is_lead: bool
    why: Why
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


def rules_inquiry(message: InboundMessage) -> Inquiry:
    """Read a message by rules alone.

    A contact of the sender's own in the message, or a request, makes a lead; spam never does.
    The phone that Telegram knows of a sender is taken along but makes no lead by itself.
    """
    text = message.message.text
    why = _why(message)
    if why == "spam" or message.kind == "deleted":
        return Inquiry(is_lead=False, why=why, summary=one_line(text, SUMMARY_LIMIT) or None)
    money = amount_in(text)
    card = message.own_contact
    return Inquiry(
        is_lead=why == "lead",
        why=why,
        name=(one_line(card.name or "", 100) if card else None) or person_name(text),
        phone=proven_phone(message),
        email=next(iter(emails_in(text)), None),
        company=company_in(text),
        intent=intent_in(text),
        amount=money.amount if money else None,
        currency=money.currency if money else None,
        urgency=urgency_in(text),
        summary=one_line(text, SUMMARY_LIMIT) or None,
        language=language_of(text),
    )


def proven_phone(message: InboundMessage) -> str | None:
    """The sender's phone: of their own contact card, else of their words, else of Telegram."""
    card = message.own_contact
    return (
        (phone_from(card.phone) if card else None)
        or next(iter(phones_in(message.message.text)), None)
        or (phone_from(message.sender.phone) if message.sender.phone else None)
    )


def has_own_contact(message: InboundMessage) -> bool:
    """Whether the message itself tells how to reach its sender."""
    text, card = message.message.text, message.own_contact
    return bool((card and phone_from(card.phone)) or phones_in(text) or emails_in(text))


def _why(message: InboundMessage) -> Why:
    text = message.message.text
    if message.kind == "deleted":
        return "no_request"
    if is_spam(text):
        return "spam"
    if has_own_contact(message) or is_request(text):
        return "lead"
    if is_small_talk(text) and all(media.kind == "sticker" for media in message.media):
        return "small_talk"
    return "no_request"
