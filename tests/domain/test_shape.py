from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.shape import Node, clean_text, moment_from, whole_number_from

from .making import any_json, any_text, is_storable

MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1795338000,
        1795338000.0,
        1795338000000,
        "1795338000",
        "2026-11-22T09:00:00Z",
        "2026-11-22T12:00:00+03:00",
        "2026-11-22T09:00:00",
    ],
)
def test_spellings_of_a_moment(value: object) -> None:
    assert moment_from(value) == MOMENT


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        10**400,
        float("nan"),
        float("inf"),
        "",
        "вчера",
        "0001-01-01",
        "9" * 19,
        [],
    ],
)
def test_what_is_no_moment(value: object) -> None:
    assert moment_from(value) is None


@given(any_json | st.integers(10**9, 10**13) | st.datetimes().map(str))
def test_a_moment_is_of_this_century(value: object) -> None:
    moment = moment_from(value)
    assert moment is None or (moment.tzinfo is UTC and 2000 < moment.year < 2100)


@given(any_json | st.integers(-(2**65), 2**65).map(str))
def test_whole_numbers_fit_in_64_bits(value: object) -> None:
    number = whole_number_from(value)
    assert number is None or (type(number) is int and -(2**63) <= number < 2**63)


@given(any_text, st.integers(0, 30))
def test_clean_texts_can_be_stored(text: str, limit: int) -> None:
    assert is_storable(clean_text(text, limit))
    assert len(clean_text(text, limit)) <= limit


def test_the_first_spelling_that_has_a_value() -> None:
    node = Node({"a": None, "b": 1}, "body")
    assert node.first("a", "b") == "b"
    assert node.first("x", "a") == "x"
