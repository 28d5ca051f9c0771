"""What the probes' findings mean: blocked or down, whom it leaves without a model, what retires."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.refusals import refusal_from
from lib.domain.llm.table import Table, table_from
from lib.domain.routing import (
    BLOCKED,
    BUSY,
    DENIED,
    DOWN,
    NO_MODEL,
    OK,
    UNTRIED,
    Finding,
    is_listed,
    names_in,
    prices_in,
    retiring,
    state_of,
    told_apart,
    without_a_candidate,
)
from lib.errors import Denied, Unavailable

CLOUDFLARE = (
    "Error 1009 Ray ID: 8f • Access denied. The owner of this website has banned the country"
)
OPENAI = "Country, region, or territory not supported (unsupported_country_region_territory)"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("data", "models", "id", "model", "name", "pricing", "prompt"))
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def table(**retires: str | None) -> Table:
    """Aliases of one candidate each, ``two`` besides with the first two of them."""
    models = [{"provider": "p", "model": name, "retires": day} for name, day in retires.items()]
    aliases = {each["model"]: {"candidates": [each]} for each in models}
    if len(models) > 1:
        aliases["two"] = {"candidates": models[:2]}
    provider = {"kind": "openai", "base_url": "http://127.0.0.1:1"}
    return table_from({"providers": {"p": provider}, "aliases": aliases})


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        (403, "Request not allowed", BLOCKED),
        (403, "Forbidden", BLOCKED),
        (403, OPENAI, BLOCKED),
        (403, CLOUDFLARE, BLOCKED),
        (403, "This model is not available in your region.", BLOCKED),
        (403, "unsupported_country_region_territory", BLOCKED),
        (451, "", BLOCKED),
        (451, "Unavailable For Legal Reasons", BLOCKED),
        (403, "This key may not use the model: request not allowed", DENIED),
        (403, "forbidden words", DENIED),
        (401, "invalid x-api-key", DENIED),
        (402, "Insufficient credits", DENIED),
        (404, "No endpoints found", NO_MODEL),
        (429, "slow down", BUSY),
        (500, "oops", DOWN),
        (502, "", DOWN),
        (529, "overloaded", DOWN),
        (400, "max_tokens must be at least 16", DOWN),
    ],
)
def test_a_refusal_says_how_a_provider_is(status: int, said: str, state: str) -> None:
    assert state_of(refusal_from(status, said)) == state


def test_a_provider_that_is_away_is_down_and_one_without_a_key_denied() -> None:
    assert state_of(Unavailable("it cannot be reached (TimeoutError)")) == DOWN
    assert state_of(Denied("there is no key for groq")) == DENIED


def test_down_here_and_there_elsewhere_is_blocked() -> None:
    found = [Finding("a", "m", DOWN, "timeout"), Finding("b", "m", DOWN), Finding("a", "n", OK)]
    told = told_apart(found, {"a": "us"})
    assert [each.state for each in told] == [BLOCKED, DOWN, OK]
    assert told[0].reason == "timeout; answers by us"
    assert told_apart(found, {}) == found


def test_an_alias_is_without_a_candidate_when_all_of_them_are_ill() -> None:
    names = table(one=None, other=None, third=None)
    ill = [Finding("p", "one", DOWN), Finding("p", "other", BUSY), Finding("p", "third", BLOCKED)]
    assert without_a_candidate(names, ill) == ["one", "third"]
    assert without_a_candidate(names, []) == []
    untried = [Finding("p", "one", UNTRIED)]
    assert without_a_candidate(names, untried) == []


def test_models_that_retire_within_two_weeks_are_told() -> None:
    today = date(2026, 11, 26)
    names = table(gone="2026-01-01", soon="2026-12-10", later="2026-12-11", never=None)
    assert [(name, day) for name, _, day in retiring(names, today)] == [
        ("gone", date(2026, 1, 1)),
        ("soon", today + timedelta(days=14)),
        ("two", date(2026, 1, 1)),
        ("two", today + timedelta(days=14)),
    ]


def test_prices_are_dollars_for_a_million_tokens() -> None:
    listed = [
        {"id": "a", "pricing": {"prompt": "0.0000005", "completion": "0.00000215"}},
        {"id": "free", "pricing": {"prompt": "0", "completion": 0}},
        {"id": "auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "nan", "pricing": {"prompt": "NaN", "completion": "1"}},
        {"id": "huge", "pricing": {"prompt": "1e999999", "completion": "1"}},
        {"id": "none", "pricing": {"prompt": None}},
        {"id": "flat", "pricing": "free"},
        {"pricing": {"prompt": "1", "completion": "1"}},
        "no entry",
    ]
    assert prices_in(listed) == {
        "a": (Decimal("0.5"), Decimal("2.15")),
        "free": (Decimal(0), Decimal(0)),
    }


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}]}, {"a", "b"}),
        ({"models": [{"name": "q:1b", "model": "q:1b"}]}, {"q:1b"}),
        ({"data": []}, set()),
        ({"data": [{}, {"id": 7}, None, "x", {"id": {"a": 1}}]}, set()),
        ({"data": {"id": "a"}}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_list_of_models_is_read(listing: Any, names: set[str] | None) -> None:
    assert names_in(listing) == names


@given(said=ANYTHING)
def test_hostile_lists_break_nothing(said: Any) -> None:
    names = names_in(said)
    assert names is None or all(isinstance(name, str) for name in names)
    for name, prices in prices_in(said).items():
        assert isinstance(name, str)
        assert all(price.is_finite() and price >= 0 for price in prices)


def test_ollama_says_latest_of_a_name_without_a_tag() -> None:
    assert is_listed("nomic-embed-text", {"nomic-embed-text:latest"})
    assert is_listed("q:1b", {"q:1b"})
    assert not is_listed("q:1b", {"q:2b"})
