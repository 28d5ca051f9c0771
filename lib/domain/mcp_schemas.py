"""Deployments as tools: names and JSON schemas that the clients of today accept, and the check.

Clients hand a tool's schema on to a model's API, and those know less than JSON Schema: many refuse
``$ref``, a union with null, a list of unknown items, or a name that is not of ASCII.

Source: modelcontextprotocol.io/specification (tools), docs.prefect.io (parameter schemas: those of
pydantic, with ``definitions`` and ``position``), read 2026-11-26.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from lib.errors import Rejected

MAX_CHARS = 50  # of a name; a protocol allows 64, and clients put the server's name before it
MAX_DEPTH = 12  # of a schema; what is deeper may be anything
SHOWN = 5  # complaints about one call
COMPLAINT_CHARS = 200

_PLAIN = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_KEPT = frozenset(
    {
        *("type", "description", "enum", "format", "default", "pattern", "required"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
    }
)
_BELOW = ("items", "additionalProperties")

Schema = Mapping[str, Any]
Path = tuple[str, ...]


def tool_name(deployment: str) -> str:
    """The tool of a deployment, of its own: ``run_leads_main`` for ``leads/main``.

    A name that has to be changed or cut ends in six digits of its hash.
    """
    flow, _, name = deployment.partition("/")
    tool = f"run_{flow}_{name}"
    if _PLAIN.fullmatch(flow) and _PLAIN.fullmatch(name) and len(tool) <= MAX_CHARS:
        return tool
    digest = hashlib.sha256(deployment.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    ascii_only = re.sub(r"[^A-Za-z0-9_-]+", "-", tool)
    return f"{ascii_only[: MAX_CHARS - 7]}_{digest}"


def input_schema(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a tool that takes a flow's parameters.

    Args:
        schema: the flow's, as Prefect has it.
        given: parameters that the deployment gives: they are defaults.
    """
    properties: dict[str, dict[str, Any]] = {}
    for name, said in sorted(schema.get("properties", {}).items(), key=_position):
        if not _NAME.fullmatch(name):
            continue  # one such name, and a model's API refuses the whole list of tools
        properties[name] = _plain(said, schema)
        if given.get(name) is not None:
            properties[name]["default"] = given[name]
    required = [name for name in schema.get("required", ()) if name not in given]
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in required if name in properties],
        "additionalProperties": False,
    }


def check_parameters(schema: Schema, parameters: Mapping[str, Any]) -> None:
    """Check a run's parameters, the deployment's own among them.

    Raises:
        Rejected: they are not what the flow takes; the message says which, and why.
    """
    known = schema.get("properties", {})
    complaints = [_unknown(name, list(known)) for name in parameters if name not in known]
    validator = Draft202012Validator(
        dict(schema),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
        registry=Registry(),  # nothing is fetched, whatever a schema points at
    )
    try:
        complaints += map(_complaint, validator.iter_errors(dict(parameters)))
    except (Unresolvable, RecursionError) as exc:
        words = f"the deployment's schema cannot be followed ({type(exc).__name__})"
        raise Rejected(words) from None
    if complaints:
        more = f"; and {len(complaints) - SHOWN} more" if len(complaints) > SHOWN else ""
        raise Rejected("; ".join(complaints[:SHOWN]) + more)


def _plain(said: Any, root: Schema, path: Path = ()) -> dict[str, Any]:
    """A schema without references, and without null: to leave a parameter out says the same.

    Args:
        said: the schema, at a place of the document.
        root: the document.
        path: the references that led here, and a mark for every level.
    """
    found, path = _followed(said, root, path)
    if len(path) > MAX_DEPTH or found.get("type") == "null":
        return {}
    union = found.get("anyOf") or found.get("oneOf") or found.get("allOf") or ()
    followed = [_followed(way, root, path) for way in union]
    ways = [way for way in followed if way[0].get("type") != "null"]
    if len(ways) == 1:
        [(way, inner)] = ways
        return _plain({**way, **_without_unions(found)}, root, (*inner, ""))
    plain = {key: value for key, value in found.items() if key in _KEPT and value is not None}
    if "const" in found:
        plain["enum"] = [found["const"]]
    if isinstance(plain.get("type"), list):
        kinds = [kind for kind in plain.pop("type") if kind != "null"]
        plain |= {"type": kinds[0]} if len(kinds) == 1 else {}
    below = (*path, "")
    if ways:
        plain["anyOf"] = [_plain(way, root, (*inner, "")) for way, inner in ways]
    for key in _BELOW:
        if isinstance(found.get(key), Mapping):
            plain[key] = _plain(found[key], root, below)
    if plain.get("type") == "array":
        plain.setdefault("items", {})
    inside = found.get("properties")
    if isinstance(inside, Mapping):
        plain["properties"] = {name: _plain(each, root, below) for name, each in inside.items()}
    return plain


def _followed(said: Any, root: Schema, path: Path) -> tuple[Schema, Path]:
    """What a reference inside the document points at, with what stands beside it.

    One that leads back to where we came from is followed no further: it may be anything.
    """
    while isinstance(said, Mapping) and isinstance(said.get("$ref"), str):
        reference = said["$ref"]
        beside = {key: value for key, value in said.items() if key != "$ref"}
        target: Any = {} if reference in path else root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part) if isinstance(target, Mapping) else None
        said = {**target, **beside} if isinstance(target, Mapping) else beside
        path = (*path, reference)
    return (said if isinstance(said, Mapping) else {}), path


def _position(named: tuple[str, Any]) -> int:
    """Where a parameter stands in the flow's signature, as Prefect notes it."""
    position = named[1].get("position") if isinstance(named[1], Mapping) else None
    return position if isinstance(position, int) else MAX_CHARS


def _without_unions(said: Schema) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key not in ("anyOf", "oneOf", "allOf")}


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"is {near[0]} meant?" if near else f"it takes {', '.join(known) or 'nothing'}"
    return f"there is no parameter {name[:64]!r}: {hint}"


def _complaint(error: ValidationError) -> str:
    deepest = best_match([error])
    place = ".".join(str(part) for part in deepest.absolute_path)
    words = deepest.message
    if len(words) > COMPLAINT_CHARS:
        words = f"{words[: COMPLAINT_CHARS // 2]}…{words[-COMPLAINT_CHARS // 2 :]}"
    return f"{place}: {words}" if place else words
