"""Reading what a provider sent: the wanted value, or an empty one. It need not be there."""

from __future__ import annotations

import orjson

from lib.domain.llm.wire import Json


def an_object(found: object) -> Json:
    """What was found, if it is an object; else {}."""
    return found if isinstance(found, dict) else {}


def a_text(found: object) -> str:
    """What was found, if it is a text; else ""."""
    return found if isinstance(found, str) else ""


def a_count(found: object) -> int:
    """What was found, if it is a whole number; else 0."""
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def objects_among(found: object) -> list[Json]:
    """The objects in what was found, if it is a list; else []."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def object_in(text: str) -> Json | None:
    """The object that a text is the JSON of, as a tool's arguments are; {} for an empty text.

    Returns:
        None when it is no JSON, or no object.
    """
    try:
        found = orjson.loads(text) if text.strip() else {}
    except ValueError:  # also for half of a surrogate pair
        return None
    return found if isinstance(found, dict) else None
