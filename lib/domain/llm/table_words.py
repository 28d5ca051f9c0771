"""What is wrong with a table, in words for who writes it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Any

from pydantic_core import ErrorDetails

ALIKE = 0.6  # of 1; at a half `nope` was answered with `code`
_DURATION = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+|0")
_OF_TWO_TYPES = ("keep_alive", "think")
_LISTS = ("candidates", "models", "permissions")
_SHOULD_BE = {
    "model_type": "should have fields, such as `name: value`",
    "dict_type": "should have fields, such as `name: value`",
    "tuple_type": "should be a list, such as [a, b]",
    "missing": "is missing",
    "string_type": "should be a text",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "date_from_datetime_parsing": "should be a day, such as 2027-01-31",
    "date_type": "should be a day, such as 2027-01-31",
}
_BY_FIELD = {
    "base_url": "should be an address, such as http://127.0.0.1:11434",
    "think": "should be true, false, low, medium or high",
}


def near(name: str, known: Collection[str]) -> str:
    """The names that are like one, else all that there are."""
    found = difflib.get_close_matches(name, known, 3, ALIKE)
    return f"is {' or '.join(found)} meant?" if found else f"there are {', '.join(sorted(known))}"


def keep_alive_from(said: Any) -> Any:
    """What Ollama takes for how long a model stays loaded.

    Raises:
        ValueError: it would refuse it, and with it every question to the model.

    Source: ollama fb30760, api/types.go ``Duration`` (Go's time.ParseDuration), read 2026-11-22.
    """
    if said is None or (isinstance(said, int) and not isinstance(said, bool)):
        return said
    if isinstance(said, str) and _DURATION.fullmatch(said):
        return said
    raise ValueError("should be a time such as 30m or 1h30m, seconds as a number, or -1: for ever")


def words_of(error: ErrorDetails, fields: Collection[str]) -> str:
    """A line that says where and what.

    Args:
        error: of pydantic.
        fields: every field that a table has, anywhere.
    """
    place = [str(part) for part in error["loc"]]
    for field in _OF_TWO_TYPES:  # pydantic adds the type that it tried
        if field in place:
            place = place[: place.index(field) + 1]
    return f"{'.'.join(place) or 'the table'}: {_what(error, place, fields)}"


def _what(error: ErrorDetails, place: list[str], fields: Collection[str]) -> str:
    kind, last = error["type"], place[-1] if place else ""
    if kind == "extra_forbidden":
        alike = difflib.get_close_matches(last, fields, 1, ALIKE)
        return f"there is no such field{f': is {alike[0]} meant?' if alike else ''}"
    if kind in ("too_short", "string_too_short"):
        return f"is empty: {'name one at least' if last in _LISTS else 'it has to say something'}"
    if last in _BY_FIELD and kind != "missing":
        return _BY_FIELD[last]
    said = error["msg"].removeprefix("Value error, ")
    return _SHOULD_BE.get(kind) or said.replace("Input should be", "should be", 1)
