"""The plan that makes our leads and the CRM's equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.reconcile import (
    Adopt,
    Change,
    Forget,
    Here,
    Link,
    Look,
    Mend,
    Plan,
    Resend,
    Status,
    There,
    person_from,
    plan,
    state_from,
)
from tests.domain.making import T0

ORIGIN = "telegram:main:7:1"
LATER = T0 + timedelta(hours=1)


def here(crm_id: int | None = 5, **fields: object) -> Here:
    given = {"lead_id": 1, "origin": ORIGIN, "opened_at": T0, "crm_id": crm_id}
    return Here(**(given | fields))  # type: ignore[arg-type]


def there(crm_id: int = 5, **fields: object) -> There:
    given = {"created_at": T0, "updated_at": LATER, "origin": ORIGIN, "stage": "NEW"}
    return There(crm_id, **(given | {"semantic": "P", "moved_at": T0} | fields))  # type: ignore[arg-type]


def status(**fields: object) -> Status:
    given = {"stage": "NEW", "state": "open", "changed_at": LATER, "answered_at": None}
    return Status(**(given | fields))  # type: ignore[arg-type]


def applied(leads: Sequence[Here], made: Plan) -> list[Here]:
    """Our leads after the plan: what the store does, in memory."""
    after = {lead.lead_id: lead for lead in leads}
    numbers = count(1000)
    for mend in made.mends:
        if isinstance(mend, Adopt):
            number = next(numbers)
            new = Here(number, str(mend.there.origin), mend.there.created_at, mend.crm_id)
            after[number] = _noted(new, mend.status)
            continue
        lead = after[mend.lead_id]
        after[mend.lead_id] = _mended(lead, mend)
    return list(after.values())


def _mended(lead: Here, mend: Mend) -> Here:
    if isinstance(mend, Link):
        return replace(lead, crm_id=mend.crm_id, crm_linked=False, crm_changed_at=None)
    if isinstance(mend, Forget):
        return replace(lead, crm_id=None, crm_linked=False, crm_deleted_at=LATER, unsaid=True)
    if isinstance(mend, Change):
        return _noted(lead, mend.status)
    return replace(lead, in_hands=True)


def _noted(lead: Here, found: Status) -> Here:
    return replace(
        lead,
        crm_stage=found.stage,
        crm_state=found.state,
        crm_changed_at=found.changed_at,
        answered_at=lead.answered_at or found.answered_at,
    )


def test_what_is_equal_needs_nothing() -> None:
    same = here(crm_stage="NEW", crm_state="open")
    assert plan([same], Look((there(),))) == Plan(())


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        (here(None, deliveries=(3,)), [Resend(1, None, (3,))]),
        (here(None, deliveries=(3,), in_hands=True), []),
        (here(None, deliveries=(3,), crm_deleted_at=T0), []),
        (here(9, deliveries=(3, 4), unsaid=True), [Resend(1, 9, (3, 4))]),
        (here(9, deliveries=(3,)), []),
    ],
)
def test_what_never_got_there_is_sent_again(lead: Here, expected: list[Mend]) -> None:
    assert list(plan([lead], Look()).mends) == expected


def test_what_the_crm_refuses_waits_for_a_person() -> None:
    made = plan([here(None)], Look())
    assert (made.mends, made.stuck) == ((), (1,))


def test_what_is_unknown_here_becomes_a_row() -> None:
    won = there(stage="CONVERTED", semantic="S", moved_at=LATER)
    group = there(6, origin="forwarder:office:-100:4")
    one, two = plan([], Look((won, group))).mends
    answered = status(stage="CONVERTED", state="won", answered_at=LATER)
    assert one == Adopt(won, "telegram", "telegram:7", answered)
    assert two == Adopt(group, "forwarder", "bitrix24:6", status())


def test_a_lead_that_another_of_ours_is_linked_to_is_known() -> None:
    other = here(5, origin="telegram:main:7:9", crm_linked=True, crm_stage="NEW", crm_state="open")
    assert plan([other], Look((there(5),))).mends == ()


def test_a_foreign_lead_is_nobody_here() -> None:
    assert plan([], Look((there(origin=None),))) == Plan(())


@pytest.mark.parametrize("noted", [None, 4])
def test_what_is_in_both_is_linked(noted: int | None) -> None:
    gone = frozenset({4} if noted else ())
    made = plan([here(noted, crm_stage="NEW", crm_state="open")], Look((there(),), gone))
    assert made.mends == (Link(1, noted, 5),)


def test_what_a_run_is_about_to_find_is_left_to_it() -> None:
    assert plan([here(None, in_hands=True)], Look((there(),))).mends == ()


def test_a_lead_that_is_linked_to_a_foreign_one_stays_there() -> None:
    linked = here(4, crm_linked=True, crm_stage="NEW", crm_state="open")
    foreign = there(4, origin=None)
    assert plan([linked], Look((foreign, there(5)))).mends == ()


def test_a_twin_is_no_difference_and_is_told() -> None:
    made = plan([here(6, crm_stage="NEW", crm_state="open")], Look((there(5), there(6))))
    assert (made.mends, made.twins) == ((), (6,))


@pytest.mark.parametrize(
    ("stage", "semantic", "before", "is_news"),
    [
        ("IN_PROCESS", "P", None, False),
        ("IN_PROCESS", "P", "open", False),
        ("CONVERTED", "S", "open", True),
        ("JUNK", "F", None, True),
        ("NEW", "P", "lost", True),
    ],
)
def test_what_people_made_of_it_is_noted(
    stage: str, semantic: str, before: str | None, is_news: bool
) -> None:
    lead = here(crm_stage="X", crm_state=before, answered_at=T0)
    moved = there(stage=stage, semantic=semantic)
    (change,) = plan([lead], Look((moved,))).mends
    after = status(stage=stage, state=state_from(semantic), answered_at=T0)
    assert change == Change(1, 5, after, is_news)


def test_the_first_answer_is_a_move_or_a_comment_whichever_was_first() -> None:
    moved = there(stage="IN_PROCESS", moved_at=LATER)
    earlier = T0 + timedelta(minutes=5)
    (change,) = plan([here()], Look((moved,), commented={5: earlier})).mends
    assert isinstance(change, Change)
    assert change.status.answered_at == earlier
    (change,) = plan([here(answered_at=T0)], Look((moved,), commented={5: earlier})).mends
    assert isinstance(change, Change)
    assert change.status.answered_at == T0, "it is set once"


def test_what_was_done_before_the_person_wrote_answers_nothing() -> None:
    moved = there(4, origin=None, stage="IN_PROCESS", moved_at=T0 - timedelta(days=1))
    lead = here(4, crm_linked=True)
    (change,) = plan([lead], Look((moved,), commented={4: T0 - timedelta(hours=1)})).mends
    assert isinstance(change, Change)
    assert change.status.answered_at is None


def test_an_unknown_status_is_told_by_name_and_kept_as_none() -> None:
    strange = there(stage="UC_1", semantic="Q")
    made = plan([here(crm_state="open")], Look((strange,)))
    assert made.unknown_statuses == {5: "Q"}
    (change,) = made.mends
    assert isinstance(change, Change)
    assert (change.status.stage, change.status.state) == ("UC_1", None)


def test_an_older_look_changes_nothing() -> None:
    lead = here(crm_stage="JUNK", crm_state="lost", crm_changed_at=LATER + timedelta(seconds=1))
    assert plan([lead], Look((there(),))).mends == ()


def test_what_is_deleted_there_is_forgotten_and_not_sent_again() -> None:
    lead = here(unsaid=True, deliveries=(3,))
    look = Look(gone=frozenset({5}))
    made = plan([lead], look)
    assert made.mends == (Forget(1, 5),)
    assert plan(applied([lead], made), look).mends == ()


@pytest.mark.parametrize(
    ("origin", "person"),
    [
        ("telegram:main:7:1", "telegram:7"),
        ("forwarder:office:7:1", "telegram:7"),
        ("telegram:main:-7:1", "bitrix24:5"),
        ("by hand", "bitrix24:5"),
        ("", "bitrix24:5"),
    ],
)
def test_a_private_chat_tells_the_person(origin: str, person: str) -> None:
    assert person_from(origin, 5) == person


moments: st.SearchStrategy[datetime] = st.integers(0, 9).map(lambda s: T0 + timedelta(seconds=s))
origins = st.sampled_from([f"telegram:main:{n}:1" for n in range(5)])
ids = st.integers(1, 8)
ours = st.builds(
    Here,
    lead_id=st.just(0),
    origin=origins,
    opened_at=moments,
    crm_id=st.none() | ids,
    crm_linked=st.booleans(),
    crm_stage=st.sampled_from([None, "NEW", "JUNK"]),
    crm_state=st.sampled_from([None, "open", "lost"]),
    crm_changed_at=st.none() | moments,
    crm_deleted_at=st.none() | moments,
    answered_at=st.none() | moments,
    unsaid=st.booleans(),
    deliveries=st.lists(st.integers(1, 9), max_size=2).map(tuple),
    in_hands=st.booleans(),
)
theirs = st.builds(
    There,
    crm_id=ids,
    created_at=moments,
    updated_at=moments,
    origin=st.none() | origins,
    stage=st.sampled_from([None, "NEW", "IN_PROCESS", "JUNK"]),
    semantic=st.sampled_from(["P", "S", "F", "?", None]),
    moved_at=st.none() | moments,
)


def test_a_lead_that_another_of_ours_has_left_is_unknown_at_once() -> None:
    foreign = there(6, origin="telegram:main:9:1")
    made = plan([here(6)], Look((there(5), foreign), frozenset(), {}))
    assert [type(mend) for mend in made.mends] == [Link, Change, Adopt]
    still = plan([here(6, crm_linked=True)], Look((foreign,), frozenset(), {}))
    assert Adopt not in map(type, still.mends)


@given(
    st.lists(ours, unique_by=lambda lead: lead.origin, max_size=5),
    st.lists(theirs, unique_by=lambda lead: lead.crm_id, max_size=6),
    st.frozensets(ids, max_size=4),
    st.dictionaries(ids, moments, max_size=4),
)
def test_what_is_mended_needs_no_mending(
    leads: list[Here],
    found: list[There],
    gone: frozenset[int],
    commented: dict[int, datetime],
) -> None:
    leads = [replace(lead, lead_id=number) for number, lead in enumerate(leads, 1)]
    look = Look(tuple(found), gone - {lead.crm_id for lead in found}, commented)
    made = plan(leads, look)
    after = applied(leads, made)
    assert plan(after, look).mends == ()
    # Nothing of a person is thrown away, and nothing in hand is touched.
    assert {lead.origin for lead in leads} <= {lead.origin for lead in after}
    in_hands = {lead.lead_id for lead in leads if lead.in_hands}
    assert not in_hands & {m.lead_id for m in made.mends if isinstance(m, Resend)}
