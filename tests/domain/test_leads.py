from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.inbound import InboundMessage, Sender
from lib.domain.inquiry import Inquiry, rules_inquiry
from lib.domain.leads import LEAD_OPEN_FOR, LeadState, grow, open_lead, profile_name

from .making import T0, inbound

MINUTE = timedelta(minutes=1)


def grown(*messages: InboundMessage, lead: LeadState | None = None) -> LeadState | None:
    """The lead after messages, as the flow would have it; None as soon as there is none."""
    for message in messages:
        lead = grow(lead, message, rules_inquiry(message)) or lead
    return lead


def need(lead: LeadState | None) -> LeadState:
    assert lead is not None
    return lead


def test_three_messages_are_one_lead() -> None:
    hello = inbound("Здравствуйте", message_id=1)
    wish = inbound("нужен кредит 5 млн", message_id=2, at=MINUTE)
    phone = inbound("+7 916 123-45-67", message_id=3, at=2 * MINUTE)
    assert grown(hello) is None
    lead = need(grown(hello, wish, phone))
    assert lead.origin == wish.ref
    assert (lead.phone, lead.intent, lead.amount) == ("+79161234567", "кредит", Decimal(5_000_000))
    assert lead.summary == "нужен кредит 5 млн"
    assert (lead.opened_at, lead.last_message_at) == (T0 + MINUTE, T0 + 2 * MINUTE)
    assert lead.version == 2


def test_every_later_message_belongs_to_the_lead_except_spam() -> None:
    lead = grown(inbound("нужен кредит"))
    thanks = inbound("спасибо", message_id=2, at=MINUTE)
    spam = inbound("Казино! жми bit.ly/x", message_id=3, at=2 * MINUTE)
    after = need(grow(lead, thanks, rules_inquiry(thanks)))
    assert after.last_message_at == T0 + MINUTE
    assert after.version == 1  # nothing to tell the CRM
    assert grow(lead, spam, rules_inquiry(spam)) is None


def test_contacts_are_filled_in_and_never_overwritten() -> None:
    lead = need(
        grown(
            inbound("нужен кредит, 8 916 123-45-67", message_id=1),
            inbound("ещё 8 916 123-45-68, anna@mail.ru", message_id=2, at=MINUTE),
            inbound("ivan@mail.ru", message_id=3, at=2 * MINUTE),
        )
    )
    assert (lead.phone, lead.email) == ("+79161234567", "anna@mail.ru")


def test_the_wish_follows_the_newest_words_and_late_ones_only_fill_in() -> None:
    first = inbound("нужен кредит 5 млн", message_id=1)
    late = inbound("срочно нужна ипотека 1 млн", message_id=2, at=MINUTE)
    newest = inbound("лучше кредит 7 млн", message_id=3, at=2 * MINUTE)
    in_order = need(grown(first, late, newest))
    out_of_order = need(grown(first, newest, late))
    for lead in (in_order, out_of_order):
        assert (lead.intent, lead.amount, lead.urgency) == ("кредит", Decimal(7_000_000), "high")
        assert lead.last_message_at == T0 + 2 * MINUTE


def test_an_edit_changes_the_wish() -> None:
    edit = inbound("нужен кредит 6 млн", kind="edited", at=MINUTE)
    lead = need(grown(inbound("нужен кредит 5 млн"), edit))
    assert (lead.amount, lead.origin, lead.version) == (Decimal(6_000_000), edit.ref, 2)


def test_a_deletion_belongs_to_no_lead() -> None:
    lead = grown(inbound("нужен кредит"))
    gone = inbound("нужен кредит", kind="deleted")
    assert grow(lead, gone, rules_inquiry(gone)) is None


def test_the_name_in_the_profile_gives_way_to_the_one_they_say() -> None:
    lead = need(grown(inbound("нужен кредит")))
    assert lead.name == "Анна П."
    named = need(grown(inbound("меня зовут Анна Петрова", message_id=2), lead=lead))
    assert named.name == "Анна Петрова"
    again = need(grown(inbound("меня зовут Ольга", message_id=3), lead=named))
    assert again.name == "Анна Петрова"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (Sender(id=7, display_name="Анна\n\u202eП."), "Анна П."),
        (Sender(id=7, username="anna"), "@anna"),
        (Sender(id=7), None),
    ],
)
def test_profile_names(sender: Sender, name: str | None) -> None:
    assert profile_name(sender) == name


def test_a_lead_is_open_for_14_days_after_its_last_message() -> None:
    assert timedelta(days=14) == LEAD_OPEN_FOR
    lead = need(grown(inbound("нужен кредит")))
    almost = LEAD_OPEN_FOR - timedelta(seconds=1)
    assert open_lead([lead], lead.person, T0 + almost) == lead
    assert open_lead([lead], lead.person, T0 - almost) == lead
    assert open_lead([lead], lead.person, T0 + LEAD_OPEN_FOR) is None
    assert open_lead([lead], lead.person, T0 - LEAD_OPEN_FOR) is None
    assert open_lead([lead], "telegram:8", T0) is None
    assert open_lead([], lead.person, T0) is None


def test_of_several_open_leads_the_latest_is_taken() -> None:
    old = need(grown(inbound("нужен кредит", message_id=1)))
    new = need(grown(inbound("нужна ипотека", message_id=2, at=10 * MINUTE)))
    assert open_lead([new, old], old.person, T0 + MINUTE) == new
    assert open_lead([new, old], old.person, T0 + MINUTE, ref=old.origin) == old


def test_a_late_edit_of_the_opening_message_opens_no_second_lead() -> None:
    lead = need(grown(inbound("нужен кредит")))
    edit_at = T0 + 3 * LEAD_OPEN_FOR
    assert open_lead([lead], lead.person, edit_at, ref=lead.origin) == lead


texts = st.sampled_from(
    ["привет", "нужен кредит", "ипотека 3 млн", "8 916 123-45-67", "8 916 123-45-68", "a@mail.ru",
     "срочно", "меня зовут Анна", "казино, жми bit.ly/x", "спасибо"]
)  # fmt: skip
histories = st.lists(st.tuples(texts, st.integers(0, 60)), min_size=1, max_size=8).map(
    lambda rows: [
        inbound(text, message_id=number, at=minute * MINUTE)
        for number, (text, minute) in enumerate(rows, start=1)
    ]
)
READ: dict[str, Inquiry] = {}


def read(message: InboundMessage) -> Inquiry:
    return READ.setdefault(message.message.text, rules_inquiry(message))


@given(histories)
def test_a_lead_grows_and_never_shrinks(messages: list[InboundMessage]) -> None:
    lead: LeadState | None = None
    for message in messages:
        after = grow(lead, message, read(message))
        if lead is not None and after is not None:
            assert after.origin == lead.origin
            assert after.last_message_at == max(lead.last_message_at, message.occurred_at)
            assert after.version - lead.version in (0, 1)
            for field in ("phone", "email", "company"):
                assert getattr(lead, field) in (None, getattr(after, field))
            for field in ("intent", "amount", "urgency", "summary", "name"):
                assert getattr(lead, field) is None or getattr(after, field) is not None
        lead = after or lead
    assert (lead is not None) == any(read(message).is_lead for message in messages)


@given(histories)
def test_the_same_message_again_changes_nothing(messages: list[InboundMessage]) -> None:
    lead: LeadState | None = None
    for message in messages:
        lead = grow(lead, message, read(message)) or lead
        assert lead is None or grow(lead, message, read(message)) in (None, lead)
