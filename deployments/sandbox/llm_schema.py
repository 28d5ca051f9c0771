"""JSON schemas of structured outputs: are they strict, and what is the least that fits them."""

from __future__ import annotations

from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
_REFUSED = ("default", "oneOf", "allOf", "not", "if", "dependentRequired", "patternProperties")


def strict_fault(schema: Any, path: str = "()") -> str | None:
    """Why a strict structured output refuses this schema; None for one it takes."""
    if not isinstance(schema, dict):
        return None
    for word in _REFUSED:
        if word in schema:
            return f"In context={path}, '{word}' is not permitted."
    properties = schema.get("properties")
    if properties is not None or schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            return (
                f"In context={path}, 'additionalProperties' is required to be supplied "
                "and to be false."
            )
        missing = sorted(set(properties or {}) - set(schema.get("required") or []))
        if missing:
            return (
                f"In context={path}, 'required' is required to be supplied and to be an array "
                f"including every key in properties. Missing '{missing[0]}'."
            )
    inner = list((properties or {}).items()) + list((schema.get("$defs") or {}).items())
    inner += [("anyOf", each) for each in schema.get("anyOf") or []]
    inner += [("items", schema["items"])] if "items" in schema else []
    faults = (strict_fault(each, f"('{name}')") for name, each in inner)
    return next((fault for fault in faults if fault), None)


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a plain value may stand here: its type and the enum."""
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        return any(fits(value, each, root) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if "const" in schema:
        return bool(value == schema["const"])
    kinds = schema.get("type", list(_TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, _TYPES[kind]) for kind in kinds)


def least(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The smallest value that is valid: null where allowed, first of an enum, empty, zero."""
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        return None if fits(None, schema, root) else least(schema["anyOf"][0], root)
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return None if "null" in kinds else _least_of(kinds[0], schema, root)


def filled(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """An object of the schema with what is known in place, and the least for the rest."""
    properties = _resolved(schema, schema).get("properties") or {}
    if not properties:
        return least(schema, schema)
    return {
        name: known[name]
        if name in known and fits(known[name], part, schema)
        else least(part, schema)
        for name, part in properties.items()
    }


def _least_of(kind: str, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    if kind == "object":
        properties = schema.get("properties") or {}
        return {name: least(part, root) for name, part in properties.items()}
    if kind == "array":
        item = schema.get("items") or {}
        return [least(item, root) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return "x" * int(schema.get("minLength", 0))
    if kind == "boolean":
        return False
    floor = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    return max(0, floor)


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        part: Any = root
        for step in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            part = part[step] if step else part
        schema = part
    return schema
