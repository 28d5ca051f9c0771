"""The fields of foreign JSON: of the type that is wanted, or refused in one line."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import orjson

from lib.domain.llm.wire import Json
from lib.errors import Rejected

T = TypeVar("T", str, bool, int, float, list[Any], Json)

WORDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def is_a(value: object, kind: type) -> bool:
    """Whether a JSON value is of a kind: true is no number, and a whole number is a float too."""
    wanted = (int, float) if kind is float else kind
    return isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))


def optional(body: Json, key: str, kind: type[T], at: str = "") -> T | None:
    """The field's value; None when it is null or absent.

    Args:
        at: where the body stands in the whole, such as ``messages[2].``, for the error's text.

    Raises:
        Rejected: it is of another type.
    """
    found = body.get(key)
    if found is None:
        return None
    if not is_a(found, kind):
        raise Rejected(f"`{at}{key}` must be {WORDS[kind]}")
    return cast(T, found)


def required(body: Json, key: str, kind: type[T], at: str = "") -> T:
    """The field's value, which must be there and not be empty.

    Raises:
        Rejected: it is absent, empty or of another type.
    """
    found = optional(body, key, kind, at)
    if found is None or (kind is not int and not found):
        raise Rejected(f"`{at}{key}` is missing or empty")
    return found


def objects(body: Json, key: str, at: str = "") -> list[Json]:
    """The objects in a list; [] when it is null or absent."""
    found = optional(body, key, list, at) or []
    for place, item in enumerate(found):
        if not isinstance(item, dict):
            raise Rejected(f"`{at}{key}[{place}]` must be an object")
    return found


def texts(body: Json, key: str, at: str = "") -> list[str]:
    """The texts in a field that holds one text or a list of them; [] when null or absent."""
    found = body.get(key)
    if isinstance(found, str):
        return [found]
    listed = optional(body, key, list, at) or []
    if not all(isinstance(item, str) for item in listed):
        raise Rejected(f"`{at}{key}` must be a text or a list of texts")
    return listed


def written(value: Json) -> str:
    """An object as JSON.

    Raises:
        Rejected: it is nested too deep to be written.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as exc:
        raise Rejected("the JSON is nested too deep, or holds a number beyond 64 bits") from exc
