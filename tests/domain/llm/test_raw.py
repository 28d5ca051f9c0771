"""A client's bytes with another model: all the rest is the same, and no other model is left."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.raw import dumped, object_of, with_model
from lib.errors import Rejected, Unavailable

TEXTS = st.text(st.characters(codec="utf-8"))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(['"model"', '"model":"x"', "model", '\\"model\\": \\"x\\"'])
)
KEYS = TEXTS | st.sampled_from(["model", "models", "Model", "mod\\u0065l"])
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12
)
BODIES = st.tuples(st.dictionaries(KEYS, VALUES, max_size=5), TEXTS, st.integers(0, 5))
MODELS = TEXTS | st.sampled_from(["qwen3:30b", 'a"b', "\\", "модель"])
WRITERS = st.sampled_from(
    [
        {"ensure_ascii": True},
        {"ensure_ascii": False},
        {"separators": (",", ":")},
        {"indent": 2},
        {"separators": (" ,\n", "\t:  ")},
    ]
)


def _body(given_: tuple[dict[str, Any], str, int]) -> dict[str, Any]:
    """A body whose model is at any place among its keys."""
    others, model, place = given_
    items = [(key, value) for key, value in others.items() if key != "model"]
    return dict([*items[:place], ("model", model), *items[place:]])


@given(body=BODIES.map(_body), model=MODELS, how=WRITERS)
def test_only_the_model_is_another(body: dict[str, Any], model: str, how: dict[str, Any]) -> None:
    raw = json.dumps(body, **how).encode()
    assert orjson.loads(with_model(raw, orjson.loads(raw), model)) == body | {"model": model}


@given(before=TEXTS, after=TEXTS, name=TEXTS, model=MODELS, gap=st.sampled_from(["", " ", "\n\t"]))
def test_the_bytes_around_the_name_stay(
    before: str, after: str, name: str, model: str, gap: str
) -> None:
    def quoted(text: str) -> bytes:
        return orjson.dumps(text)

    head = b'{"a":' + gap.encode() + quoted(before) + b', "model"' + gap.encode() + b":" + b" "
    tail = gap.encode() + b',"z" : ' + quoted(after) + b" } "
    raw = head + quoted(name) + tail
    changed = with_model(raw, orjson.loads(raw), model)
    if "model" in (before, after) or b"\\u006" in raw:  # then it is not certain, and written anew
        assert orjson.loads(changed) == orjson.loads(raw) | {"model": model}
    else:
        assert changed == head + quoted(model) + tail


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"b","model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"mod\\u0065l":"a","model":"b"}',
        b'{"\\u006D\\u006F\\u0064\\u0065\\u006C":"b"}',
        b'{"x":{"model":"b"},"mod\\u0065l":"b"}',
        b'{"x":[{"model":"a"}],"model":"b"}',
        b'{"model":"b","x":{"model":"a"}}',
        b'{"x":"\\"model\\":\\"b\\"","model":"b"}',
        b'{"model":"\\u0062"}',
        b'{"x":"model","model":"b"}',
        b'{"model" \n:\t"b"}',
    ],
)
def test_no_other_model_is_left(raw: bytes) -> None:
    read = orjson.loads(raw)
    changed = with_model(raw, read, "new")
    pairs = json.loads(changed, object_pairs_hook=lambda found: found)
    assert [value for key, value in pairs if key == "model"] == ["new"]
    assert orjson.loads(changed) == read | {"model": "new"}


def test_what_cannot_be_written_is_refused() -> None:
    deep: Any = "end"
    for _ in range(300):
        deep = [deep]
    for body in ({"model": "a", "x": deep}, {"model": "a", "x": "\ud800"}):
        with pytest.raises(Rejected, match="nested too deeply"):
            dumped(body)


@given(body=BODIES.map(_body))
def test_equal_values_are_written_the_same(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    assert dumped(body, is_sorted=True) == dumped(turned, is_sorted=True)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[1]", b'"a"', b"null", b'{"a":', b"\xff"])
def test_an_answer_that_is_no_object_is_the_providers_failure(raw: bytes) -> None:
    with pytest.raises(Unavailable, match="no JSON"):
        object_of(raw)
