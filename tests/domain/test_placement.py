from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.leads import LeadState
from lib.domain.placement import (
    Filing,
    Known,
    Words,
    choose_placement,
    is_behind,
    without_twins,
)

from .making import T0

HELLO = Words("m:1", T0, "Здравствуйте")
WISH = Words("m:2", T0 + timedelta(minutes=1), "нужен кредит", "tried")
PHONE = Words("m:3", T0 + timedelta(minutes=2), "+7 916 123-45-67")
ALL = (HELLO, WISH, PHONE)


def lead(number: int = 1, **fields: Any) -> LeadState:
    return LeadState(
        id=number,
        origin=f"o:{number}",
        source="telegram",
        person=f"telegram:{number}",
        opened_at=T0,
        last_message_at=T0,
        **fields,
    )


def test_a_lead_that_nobody_knows_is_added_with_its_words_in_its_own_comment() -> None:
    placement = choose_placement(Filing(lead(), ALL), Known())
    assert (placement.action, placement.crm_id, placement.comments) == ("add", None, ())


def test_a_new_lead_is_tied_to_the_contact_and_company_that_are_known() -> None:
    placement = choose_placement(Filing(lead()), Known(contact_id=5, company_id=6))
    assert (placement.action, placement.contact_id, placement.company_id) == ("add", 5, 6)


def test_our_own_lead_comes_before_a_foreign_one_and_the_oldest_first() -> None:
    known = Known(own_ids=(8, 9), open_ids=(3,), contacts=frozenset({"+7"}))
    placement = choose_placement(Filing(lead(), ALL), known)
    assert (placement.action, placement.crm_id) == ("adopt", 8)
    assert placement.contacts == {"+7"}


def test_an_adopted_lead_gets_the_words_it_lacks_also_those_that_were_tried() -> None:
    known = Known(own_ids=(8,), commented=frozenset({"m:1"}))
    assert choose_placement(Filing(lead(), ALL), known).comments == (WISH, PHONE)


def test_an_open_lead_of_the_same_person_is_linked_and_all_words_are_told() -> None:
    placement = choose_placement(Filing(lead(), ALL), Known(open_ids=(3, 4), contact_id=5))
    assert (placement.action, placement.crm_id, placement.comments) == ("link", 3, ALL)
    assert placement.contact_id is None


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"version": 2, "crm_version": 1}, "update"),
        ({"version": 2, "crm_version": 2}, "none"),
        ({"version": 2, "crm_version": 1, "crm_linked": True}, "none"),
    ],
)
def test_a_lead_that_is_there_is_changed_only_where_it_is_ours_and_behind(
    fields: dict[str, Any], action: str
) -> None:
    filing = Filing(lead(crm_id=70, **fields), ALL)
    assert is_behind(filing.lead) == (action == "update")
    placement = choose_placement(filing, Known(open_ids=(3,), commented=frozenset({"m:2"})))
    assert (placement.action, placement.crm_id) == (action, 70)
    assert placement.comments == (HELLO, PHONE)


def test_a_lead_that_is_not_there_is_not_behind() -> None:
    assert not is_behind(lead(version=5))


def test_one_phone_is_looked_up_after_the_first_with_it_is_placed() -> None:
    first, twin = Filing(lead(1, phone="+7")), Filing(lead(2, phone="+7"))
    by_mail = Filing(lead(3, email="a@b.ru", phone="+8"))
    again = Filing(lead(4, email="a@b.ru"))
    assert without_twins([first, twin, by_mail, again]) == ([first, by_mail], [twin, again])


def test_those_that_are_there_and_those_without_contacts_never_wait() -> None:
    there = [Filing(lead(n, phone="+7", crm_id=n)) for n in (1, 2)]
    bare = [Filing(lead(3)), Filing(lead(4))]
    assert without_twins([*there, *bare]) == ([*there, *bare], [])


marks = st.sampled_from([None, "one", "two"])
filings = st.lists(st.tuples(marks, marks, st.none() | st.integers(1, 9)), max_size=12).map(
    lambda rows: [
        Filing(lead(n, phone=phone, email=email, crm_id=crm_id))
        for n, (phone, email, crm_id) in enumerate(rows)
    ]
)


@given(filings)
def test_in_the_end_all_are_placed_and_never_two_new_ones_of_one_person_together(
    filings: list[Filing],
) -> None:
    left, placed = filings, []
    while left:
        now, left = without_twins(left)
        assert now
        placed += now
        told = [m for f in now if f.lead.crm_id is None for m in {f.lead.phone, f.lead.email} if m]
        assert len(told) == len(set(told))
    assert sorted(f.lead.id or 0 for f in placed) == [f.lead.id for f in filings]


words = st.builds(
    Words,
    st.sampled_from(["m:1", "m:2", "m:3"]),
    st.just(T0),
    st.text(max_size=3),
    st.sampled_from(["no", "tried", "yes"]),
)
known = st.builds(
    Known,
    own_ids=st.lists(st.integers(1, 9), max_size=2).map(tuple),
    open_ids=st.lists(st.integers(1, 9), max_size=2).map(tuple),
    commented=st.frozensets(st.sampled_from(["m:1", "m:2", "m:3"])),
)


@given(
    st.lists(words, max_size=3, unique_by=lambda each: each.ref),
    known,
    st.none() | st.integers(1, 9),
    st.integers(0, 2),
    st.booleans(),
)
def test_no_word_is_told_twice_and_none_is_forgotten(
    said: list[Words], known: Known, crm_id: int | None, crm_version: int, is_linked: bool
) -> None:
    state = lead(crm_id=crm_id, crm_version=crm_version, crm_linked=is_linked, version=2)
    placement = choose_placement(Filing(state, tuple(said)), known)
    missing = {w.ref for w in said if w.in_crm != "yes"} - known.commented
    told = {w.ref for w in placement.comments}
    assert (placement.action == "add") == (placement.crm_id is None)
    if placement.action == "add":
        assert not told
        assert not known.own_ids and not known.open_ids  # noqa: PT018
    else:
        assert told == missing
