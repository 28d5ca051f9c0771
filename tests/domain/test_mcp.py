"""Deployments as tools: names, schemas and the check; scopes; the map."""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.flow_map import FlowOnMap, header_from
from lib.domain.mcp_schemas import MAX_CHARS, check_parameters, input_schema, tool_name
from lib.domain.mcp_scopes import SCOPES, is_within, key_names, scopes_from, scopes_in
from lib.errors import Rejected

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# As Prefect 3.8.8 has it, of a flow with a model, an enum, a literal and a union.
ORDER = {
    "title": "Parameters",
    "type": "object",
    "properties": {
        "order": {"allOf": [{"$ref": "#/definitions/Order"}], "position": 1, "title": "order"},
        "batch_id": {
            "anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}],
            "default": None,
            "position": 0,
            "title": "batch_id",
        },
        "colour": {"$ref": "#/definitions/Colour", "position": 2},
        "many": {"items": {"type": "integer"}, "maxItems": 3, "position": 3, "type": "array"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "position": 4},
        "only": {"const": "x", "position": 5},
    },
    "required": ["order", "many"],
    "definitions": {
        "Order": {
            "title": "Order",
            "type": "object",
            "properties": {
                "title": {"title": "Title", "type": "string"},
                "next": {"anyOf": [{"$ref": "#/definitions/Order"}, {"type": "null"}]},
            },
            "required": ["title"],
        },
        "Colour": {"enum": ["red", "blue"], "title": "Colour", "type": "string"},
    },
}


def whole(schema: Any) -> list[Any]:
    """A schema and all that is in it."""
    found = [schema]
    inner = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict | list):
        for each in inner:
            found += whole(each)
    return found


words = st.text("abcЖ_-./ ", min_size=1, max_size=40)


@given(st.lists(st.builds("{}/{}".format, words, words), min_size=2, max_size=2, unique=True))
def test_every_deployment_has_a_tool_of_its_own_that_every_client_can_name(
    deployments: list[str],
) -> None:
    first, second = map(tool_name, deployments)
    assert NAME.fullmatch(first)
    assert len(first) <= MAX_CHARS
    assert first != second


def test_a_tool_is_named_as_its_deployment() -> None:
    assert tool_name("leads/main") == "run_leads_main"
    assert tool_name("a_b/c") != tool_name("a/b_c")


def test_a_schema_has_no_references_no_null_and_the_deployments_own_values() -> None:
    plain = input_schema(ORDER, {"many": [1], "batch_id": None})
    assert list(plain["properties"]) == ["batch_id", "order", "colour", "many", "either", "only"]
    assert plain["required"] == ["order"]
    assert plain["properties"]["batch_id"] == {"type": "string", "format": "uuid"}
    assert plain["properties"]["colour"] == {"type": "string", "enum": ["red", "blue"]}
    assert plain["properties"]["many"]["default"] == [1]
    assert plain["properties"]["only"] == {"enum": ["x"]}
    assert plain["properties"]["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    order = plain["properties"]["order"]
    assert order["required"] == ["title"]
    assert order["properties"]["title"] == {"type": "string"}
    assert "$ref" not in json.dumps(plain)  # an order in an order in an order …


leaves = st.sampled_from(
    [
        {"type": "string"},
        {"type": "null"},
        {"$ref": "#/definitions/A"},
        {"$ref": "#"},
        {"$ref": "#/no/such"},
        {"$ref": "https://example.com/schema.json"},
        {"const": 1},
        {},
        True,
    ]
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda ways: {"anyOf": ways}, st.lists(inner, max_size=3)),
        st.builds(lambda ways: {"allOf": ways}, st.lists(inner, max_size=3)),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(
            lambda properties: {"type": "object", "properties": properties},
            st.dictionaries(st.sampled_from(["title", "type", "a"]), inner, max_size=3),
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(words, schemas, max_size=4), schemas)
def test_whatever_the_schema_clients_get_one_that_they_take(
    properties: dict[str, Any], definition: Any
) -> None:
    schema = {"properties": properties, "definitions": {"A": definition}}
    plain = input_schema(schema, {})
    for each in whole(plain):
        assert not isinstance(each, dict) or "$ref" not in each
        assert each != {"type": "null"}
        if isinstance(each, dict) and each.get("type") == "array":
            assert "items" in each
    assert all(NAME.fullmatch(name.replace(".", "-")) for name in plain["properties"])
    json.dumps(plain)


@given(st.dictionaries(words, schemas, max_size=3), st.dictionaries(words, st.text(max_size=400)))
def test_wrong_parameters_are_refused_and_nothing_is_fetched(
    properties: dict[str, Any], parameters: dict[str, Any]
) -> None:
    schema = {"properties": properties, "definitions": {"A": {"$ref": "#/definitions/A"}}}
    with suppress(Rejected):
        check_parameters(schema, parameters)
        assert set(parameters) <= set(properties)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"order": {"title": "a"}}, "'many' is a required property"),
        ({"order": {}, "many": []}, "order: 'title' is a required property"),
        ({"order": {"title": "a"}, "many": ["x"]}, "many.0: 'x' is not of type 'integer'"),
        ({"order": {"title": "a"}, "many": [], "batchid": 1}, "is batch_id meant?"),
        ({"order": {"title": "a"}, "many": [], "batch_id": "7"}, "batch_id: '7' is not a 'uuid'"),
        ({"order": {"title": "a"}, "many": [], "colour": "green"}, "is not one of"),
    ],
)
def test_the_complaint_names_the_place(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=re.escape(words)):
        check_parameters(ORDER, parameters)


def test_good_parameters_pass() -> None:
    check_parameters(ORDER, {"order": {"title": "a", "next": None}, "many": [1], "batch_id": None})


@given(st.lists(st.sampled_from(SCOPES), min_size=1))
def test_scopes_are_read_as_they_are_written(scopes: list[Any]) -> None:
    read = scopes_from(" , ".join(scopes))
    assert set(read) == set(scopes)
    assert scopes_in(key_names(read)) == set(scopes)


@pytest.mark.parametrize("text", ["", ",", "READ", "read,write", "mcp:read", "*"])
def test_other_scopes_there_are_not(text: str) -> None:
    with pytest.raises(Rejected, match="scopes are read, run, admin"):
        scopes_from(text)


def test_admin_may_all_and_a_key_of_models_nothing() -> None:
    assert all(is_within(["admin"], scope) for scope in SCOPES)
    assert not is_within(["run"], "read")
    assert scopes_in(["*", "read", "mcp", "groq/*", "speech"]) == frozenset()


FLOWS = sorted(Path(__file__).parents[2].joinpath("flows").glob("[!_]*.py"))


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_the_header_of_every_flow_is_read(path: Path) -> None:
    said = header_from(ast.get_docstring(ast.parse(path.read_text())) or "")
    assert set(said) == {"summary", "trigger", "in", "out", "pool"}
    assert all(said.values())


def test_a_line_set_further_in_goes_on() -> None:
    said = header_from("A.\n\nTrigger  one;\n         two\nIn       it\n\nMore words.")
    assert said == {"summary": "A.", "trigger": "one; two", "in": "it"}


def test_the_words_of_a_flow_say_when_it_runs() -> None:
    flow = FlowOnMap("a/main", "A.", "", "schedule", "", "text", "live", (), ("every 60 s",))
    assert flow.words() == "A.\nTrigger: schedule.\nOut: text.\nBy itself: every 60 s."
