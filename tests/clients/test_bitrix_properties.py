"""What the client writes in PHP brackets, the portal's reader gives back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.sandbox.bitrix_php import array, form_params, mapping, query_params
from lib.clients.bitrix_batch import Reference, by_key, php_query
from lib.clients.bitrix_errors import error_from
from lib.errors import PotokError, Rejected

CALM = settings(suppress_health_check=[HealthCheck.too_slow])
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from("ёЖъ[]&=%+#?$ \n;"),
    ),
    max_size=20,
)
OUTER = st.from_regex(r"[A-Za-zА-я_][A-Za-zА-я0-9_]{0,9}", fullmatch=True)
INNER = st.from_regex(r"[!@%=<>]{0,2}[A-Za-zА-я_][A-Za-zА-я0-9_.\[ -]{0,9}", fullmatch=True)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(INNER, inner, max_size=4),
    max_leaves=8,
)


def as_php_gives_it(value: Any) -> Any:
    """Every leaf a string; what is empty is gone."""
    if isinstance(value, dict):
        inside = {key: as_php_gives_it(item) for key, item in value.items()}
        return {key: item for key, item in inside.items() if item is not None} or None
    if isinstance(value, list):
        inside = {str(n): as_php_gives_it(item) for n, item in enumerate(value)}
        kept = {key: item for key, item in inside.items() if item is not None}
        return array(kept) or None
    if value is None or isinstance(value, bool):
        return "1" if value else "0" if value is False else ""
    return str(value)


@CALM
@given(st.dictionaries(OUTER, VALUES, max_size=5))
def test_brackets_there_and_back(params: dict[str, Any]) -> None:
    read = query_params(php_query(params))
    assert without_joiner(read) == without_joiner(as_php_gives_it(params) or {})


@CALM
@given(TEXTS)
def test_a_text_never_refers_to_another_command(text: str) -> None:
    for name in ("$result[a]", "$RESULT.x[a][b]", "$next[0]", "$$total[a]"):
        written = query_params(php_query({"f": text + name}))["f"]
        assert written != text + name
        assert without_joiner(written) == without_joiner(text + name)


@CALM
@given(st.text(max_size=30))
def test_any_query_is_read(query: str) -> None:
    assert isinstance(query_params(query), dict)


@CALM
@given(st.lists(st.tuples(st.text("ab[]0 1-.", max_size=12), TEXTS), max_size=8))
def test_any_form_is_read(pairs: list[tuple[str, str]]) -> None:
    assert isinstance(form_params(pairs), dict)


@CALM
@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=4))
def test_an_array_keeps_its_keys_through_php(items: dict[str, int]) -> None:
    assert by_key(array(items)) == mapping(array(items)) == items


@CALM
@given(st.text(), st.text(), st.booleans(), st.none() | st.floats(allow_nan=False))
def test_any_refusal_is_an_error_of_ours(
    code: str, description: str, write: bool, blocked_s: float | None
) -> None:
    error = error_from("m", code, description, write=write, blocked_s=blocked_s)
    assert isinstance(error, PotokError)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[x][]=1&a[x][5]=2&a[x][]=3", {"a": {"x": {"0": "1", "5": "2", "6": "3"}}}),
        ("a=1&a=2", {"a": "2"}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[1]=x&a[0]=y", {"a": {"1": "x", "0": "y"}}),
        ("a[01]=x", {"a": {"01": "x"}}),
        ("a.b c=1", {"a_b_c": "1"}),
        ("a[b=1", {"a_b": "1"}),
        ("a[b]c=1", {"a": {"b": "1"}}),
        ("filter[%3E%3Did]=5", {"filter": {">=id": "5"}}),
        ("a=%D0%96+%2B", {"a": "Ж +"}),
        ("a&=x&&", {"a": ""}),
        ("a=100%+%zz%D0%96%", {"a": "100% %zzЖ%"}),
        ("a=%3D%0A%20%09=%20", {"a": "=\n \t= "}),
        ("a=%FF", {"a": "\ufffd"}),
    ],
)
def test_the_reader_reads_as_php(query: str, expected: dict[str, Any]) -> None:
    assert query_params(query) == expected


@pytest.mark.parametrize("key", ["", " ", "a]", "a\0b"])
def test_names_that_php_would_mangle_are_rejected(key: str) -> None:
    with pytest.raises(Rejected):
        php_query({"fields": {key: 1}})
    with pytest.raises(Rejected):
        php_query({key: 1})


def test_a_reference_stays_a_reference() -> None:
    query = php_query({"id": Reference.to("add", "item", "id")})
    assert query_params(query) == {"id": "$result[add][item][id]"}


def without_joiner(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_joiner(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_joiner(item) for item in value]
    return value.replace("\u2060", "")
