"""What a call has used, whatever a provider says of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.table import Price
from lib.domain.llm.usage import USD_PLACES, Usage, usage_from

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cost", "cached_tokens")
SAID = ANYTHING | st.dictionaries(st.sampled_from(FIELDS), ANYTHING)


def test_everything_that_is_said_counts() -> None:
    said = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60},
        "cost": 0.0123,
    }
    assert usage_from(said) == Usage(100, 60, 20, Decimal("0.0123"))


@given(said=SAID)
def test_hostile_numbers_are_none(said: Any) -> None:
    usage = usage_from(said)
    for tokens in (usage.prompt, usage.cached, usage.completion):
        assert type(tokens) is int
        assert 0 <= tokens < 10**9
    if usage.usd is not None:
        assert usage.usd.is_finite()
        assert 0 <= usage.usd <= 100_000
        assert -int(usage.usd.as_tuple().exponent) <= USD_PLACES


@pytest.mark.parametrize(
    ("cost", "usd"),
    [
        ("0.5", "0.5"),
        (3, "3"),
        (True, None),
        ("nan", None),
        ("sNaN", None),
        ("inf", None),
        (-1, None),
        ("1e-400000", "0"),
        ("1e999999", None),
        (float("nan"), None),
        ([1], None),
        (None, None),
    ],
)
def test_a_cost_is_dollars_or_nothing(cost: object, usd: str | None) -> None:
    assert usage_from({"cost": cost}).usd == (None if usd is None else Decimal(usd))


def test_true_is_no_number_of_tokens() -> None:
    assert type(usage_from({"prompt_tokens": True}).prompt) is int
    assert usage_from({"prompt_tokens": True}) == Usage()


def test_the_providers_word_counts_over_the_table() -> None:
    price = Price(input=Decimal(1), output=Decimal(2), cached=Decimal("0.5"))
    assert Usage(10, 0, 10, Decimal("0.7")).price(price) == Decimal("0.7")
    assert Usage(1_000_000, 400_000, 500_000).price(price) == Decimal("1.8")
    assert Usage(10, 0, 10).price(None) is None
    assert Usage(10, 0, 10, Decimal(0)).price(price) == 0
