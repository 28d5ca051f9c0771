"""What a row of the telephony's statistic says, and from where reading goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.calls import (
    Call,
    Counts,
    bound,
    counts_of,
    lead_unknown,
    next_watermark,
    read_calls,
)

T0 = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=5,
)
FIELDS = (
    *("ID", "CALL_START_DATE", "CALL_TYPE", "CALL_FAILED_CODE", "CALL_DURATION"),
    *("CRM_ENTITY_TYPE", "CRM_ENTITY_ID", "CRM_ACTIVITY_ID", "PHONE_NUMBER", "CALL_ID"),
)


def row(**changed: Any) -> dict[str, Any]:
    """A row of an answered incoming call of the lead 7."""
    return {
        "ID": "12",
        "CALL_ID": "c.12",
        "CALL_TYPE": "2",
        "CALL_FAILED_CODE": "200",
        "CALL_DURATION": "60",
        "CALL_START_DATE": "2026-11-20T10:00:00+03:00",
        "CRM_ENTITY_TYPE": "LEAD",
        "CRM_ENTITY_ID": "7",
        "CRM_ACTIVITY_ID": "31",
        "PHONE_NUMBER": "+79161234567",
    } | changed


def one(**changed: Any) -> tuple[Call, list[str]]:
    """The call of one row, and the names of what is odd in it."""
    [call], problems = read_calls([row(**changed)])
    return call, [problem.name for problem in problems]


def test_a_row_is_a_call() -> None:
    assert one() == (
        Call(12, "in", "answered", 60, T0, "c.12", 31, "LEAD", 7, (7,), "+79161234567", "200"),
        [],
    )


@pytest.mark.parametrize(
    ("kind", "code", "seconds", "direction", "outcome"),
    [
        ("1", "200", "60", "out", "answered"),
        ("2", "200", "1", "in", "answered"),
        ("2", "200", "0", "in", "failed"),
        ("2", "304", "0", "in", "missed"),
        ("3", "304", "0", "in", "missed"),
        ("1", "304", "0", "out", "failed"),
        ("1", "603", "0", "out", "failed"),
        ("1", "603-S", "0", "out", "failed"),
        ("4", "200", "9", "out", "answered"),
        ("5", "200", "9", "out", "answered"),
        ("2", "OTHER", "9", "in", "failed"),
    ],
)
def test_direction_and_outcome(
    kind: str, code: str, seconds: str, direction: str, outcome: str
) -> None:
    call, odd = one(CALL_TYPE=kind, CALL_FAILED_CODE=code, CALL_DURATION=seconds)
    assert (call.direction, call.outcome, odd) == (direction, outcome, [])


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"CALL_TYPE": "9"}, "unknown_type"),
        ({"CALL_TYPE": None}, "unknown_type"),
        ({"CALL_FAILED_CODE": "999"}, "unknown_code"),
        ({"CALL_FAILED_CODE": ""}, "unknown_code"),
        ({"CALL_DURATION": "-1"}, "bad_duration"),
        ({"CALL_DURATION": str(2**40)}, "bad_duration"),
        ({"CRM_ENTITY_TYPE": "DEAL"}, "unknown_entity"),
        ({"CRM_ENTITY_ID": "0"}, "unknown_entity"),
    ],
)
def test_what_is_odd_is_named_and_kept(changed: dict[str, Any], name: str) -> None:
    call, odd = one(**changed)
    assert odd == [name]
    if name != "unknown_entity":
        assert call.outcome == "failed"
    else:
        assert (call.entity_type, call.entity_id, call.crm_ids) == (None, None, ())


def test_a_call_of_nobody_is_not_odd() -> None:
    call, odd = one(CRM_ENTITY_TYPE="", CRM_ENTITY_ID="0", CRM_ACTIVITY_ID="0")
    assert (call.entity_type, call.activity_id, odd) == (None, None, [])


@pytest.mark.parametrize("changed", [{"ID": ""}, {"ID": "0"}, {"CALL_START_DATE": "вчера"}])
def test_a_row_without_an_id_or_a_time_is_no_call(changed: dict[str, Any]) -> None:
    calls, [problem] = read_calls([row(**changed), "no row"])[0], read_calls([row(**changed)])[1]
    assert calls == []
    assert problem.name == "bad_row"


def test_a_problem_shows_no_number_as_long_as_a_phone() -> None:
    _, problems = read_calls([row(CALL_FAILED_CODE="79161234567"), row(CALL_TYPE="Анна")])
    assert {problem.value for problem in problems} == {"…"}


def test_of_a_row_that_comes_twice_the_later_counts() -> None:
    calls, _ = read_calls([row(), row(ID="3"), row(CALL_DURATION="61")])
    assert [(call.id, call.seconds) for call in calls] == [(3, 60), (12, 61)]


def test_a_call_of_a_contact_belongs_to_the_leads_of_its_activity() -> None:
    calls, _ = read_calls(
        [
            row(ID="1", CRM_ENTITY_TYPE="CONTACT", CRM_ACTIVITY_ID="31"),
            row(ID="2", CRM_ENTITY_TYPE="CONTACT", CRM_ACTIVITY_ID="32"),
            row(ID="3", CRM_ENTITY_TYPE="DEAL", CRM_ACTIVITY_ID="33"),
            row(ID="4", CRM_ENTITY_TYPE="CONTACT", CRM_ACTIVITY_ID="0"),
            row(ID="5", CRM_ACTIVITY_ID="34"),
        ]
    )
    assert lead_unknown(calls) == [31, 32, 33]
    found = bound(calls, {31: [9, 8, 9], 33: [5], 34: [1]})
    assert [call.crm_ids for call in found] == [(8, 9), (), (5,), (), (7,)]


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, json)) | json))
def test_no_row_breaks_the_reader(rows: list[Any]) -> None:
    calls, problems = read_calls(rows)
    assert [call.id for call in calls] == sorted({call.id for call in calls})
    assert len(calls) + len(problems) >= (1 if rows else 0)
    for call in calls:
        assert 0 <= call.seconds < 2**31
        assert call.direction in ("in", "out")
        assert (call.outcome == "missed") <= (call.direction == "in")
        assert "\x00" not in f"{call.phone}{call.call_id}{call.failed_code}"


@given(
    st.lists(
        st.builds(
            Call,
            id=st.integers(1, 9),
            direction=st.sampled_from(["in", "out"]),
            outcome=st.sampled_from(["answered", "missed", "failed"]),
            seconds=st.integers(0, 999),
            started_at=moments,
        )
    )
)
def test_counts_add_up(calls: list[Call]) -> None:
    counts = counts_of(calls)
    assert counts.calls == len(calls)
    assert counts.seconds == sum(call.seconds for call in calls)
    if not calls:
        assert counts == Counts()
    else:
        assert counts.last_at == max(call.started_at for call in calls)


@given(st.none() | moments, st.lists(moments), moments)
def test_a_watermark_never_goes_back_nor_into_the_future(
    before: datetime | None, starts: list[datetime], now: datetime
) -> None:
    calls = [Call(n, "in", "answered", 1, at) for n, at in enumerate(starts, 1)]
    after = next_watermark(before, calls, now)
    if before is not None:
        assert after is not None
        assert after >= before
    assert after is None or after == before or after <= now
    assert next_watermark(after, calls, now + timedelta(0)) == after
