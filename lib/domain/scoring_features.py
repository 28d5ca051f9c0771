"""What scoring looks at: the facts of a lead, and the features that rules may name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lib.domain.lead_texts import money_text

Value = str | int | float | bool | None

# A sum in another currency is compared with the rules' roubles; a rate to the nearest ten is enough
# for steps of millions. Central Bank of Russia, 2026-11.
_ROUBLES = {
    **{"RUB": Decimal(1), "USD": Decimal(80), "EUR": Decimal(90), "GBP": Decimal(100)},
    **{"CNY": Decimal(11), "KZT": Decimal("0.15")},
}


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """What is known of a lead.

    Attributes:
        amount: whole units of ``currency`` (ISO 4217).
        messages: what the person wrote, not counting what was taken back.
        calls_in_answered, calls_out_answered: talks, by who rang.
        calls_in_missed: the person rang, and nobody took it.
        calls_out_failed: we rang, and nobody took it.
        open_twins: other open leads with this phone or e-mail, of whoever.
        won_before: leads with this phone or e-mail that became customers.
    """

    lead_id: int
    source: str
    last_message_at: datetime
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    company: str | None = None
    intent: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    urgency: str | None = None
    messages: int = 0
    calls_in_answered: int = 0
    calls_out_answered: int = 0
    calls_in_missed: int = 0
    calls_out_failed: int = 0
    open_twins: int = 0
    won_before: int = 0


# What a rule may name, and the kind of its value.
FEATURES: dict[str, type] = {
    "has_phone": bool,
    "has_email": bool,
    "has_name": bool,
    "has_company": bool,
    "intent": str,
    "amount_rub": int,  # in roubles, whichever currency was named
    "urgency": str,  # low, normal, high
    "source": str,  # telegram (the bot), forwarder
    "hours_silent": int,  # since the person's last message, whole hours
    "messages": int,  # what the person wrote
    "calls_answered": int,  # talks, whoever rang
    "calls_in": int,  # the person rang, taken or not
    "calls_missed": int,  # the person rang, and nobody took it
    "calls_unreached": int,  # we rang, and nobody took it
    "open_twins": int,  # other open leads with this phone or e-mail
    "won_before": int,  # leads with this phone or e-mail that became customers
}


def features_of(facts: LeadFacts, now: datetime) -> dict[str, Value]:
    """A lead's features; None for what is not known.

    Args:
        facts: the lead.
        now: aware UTC time.
    """
    silent_s = (now - facts.last_message_at).total_seconds()
    return {
        "has_phone": facts.phone is not None,
        "has_email": facts.email is not None,
        "has_name": facts.name is not None,
        "has_company": facts.company is not None,
        "intent": facts.intent,
        "amount_rub": _roubles(facts.amount, facts.currency),
        "urgency": facts.urgency,
        "source": facts.source,
        "hours_silent": max(0, int(silent_s // 3600)),
        "messages": facts.messages,
        "calls_answered": facts.calls_in_answered + facts.calls_out_answered,
        "calls_in": facts.calls_in_answered + facts.calls_in_missed,
        "calls_missed": facts.calls_in_missed,
        "calls_unreached": facts.calls_out_failed,
        "open_twins": facts.open_twins,
        "won_before": facts.won_before,
    }


def shown(feature: str, value: Value) -> str:
    """A feature's value as people read it."""
    if feature == "amount_rub" and isinstance(value, int):
        return money_text(Decimal(value), "RUB")
    return str(value)


def _roubles(amount: Decimal | None, currency: str | None) -> int | None:
    rate = _ROUBLES.get(currency or "RUB")
    return None if amount is None or rate is None else int(amount * rate)
