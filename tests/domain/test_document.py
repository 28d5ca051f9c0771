"""A table's YAML: read as any other, and refused with the file's name and the lines."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.document import document_from
from lib.errors import Rejected

TWICE = "aliases:\n  main: {a: 1}\n  code: {a: 2}\n  main: {a: 3}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TWICE, "llm.yaml: `main` stands twice, in lines 2 and 4"),
        ("a: 1\nb: 2\n'a': 3\n", "`a` stands twice, in lines 1 and 3"),
        ("x: [{a: 1, a: 1}]\n", "`a` stands twice, in lines 1 and 1"),
        ("", "llm.yaml is empty"),
        ("# nothing\n", "llm.yaml is empty"),
        ("a: b: c", "llm.yaml is no YAML: line 1, column 5: mapping values are not allowed here"),
        ("a: [\n", "llm.yaml is no YAML: line 2, column 1: expected the node content"),
        ("\x00", "llm.yaml is no YAML: character 1: special characters are not allowed"),
        ("a: 2026-13-01", "llm.yaml is no YAML: month must be in 1..12"),
        ("[" * 5_000, "llm.yaml is no YAML: it is nested too deeply"),
        ("!!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file(text: str, words: str) -> None:
    with pytest.raises(Rejected) as refused:
        document_from(text.encode(), "llm.yaml")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "string>" not in str(refused.value)


def test_what_is_merged_may_be_written_anew() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, x: 4}\n"
    assert document_from(text.encode(), "f") == yaml.safe_load(text)
    assert document_from(text.encode(), "f")["c"] == {"x": 4, "y": 2}


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(Rejected):
        assert document_from(raw, "f") is not None
