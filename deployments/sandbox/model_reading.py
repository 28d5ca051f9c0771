"""What is in a request to a model, whatever it is made of: texts, pictures, numbers, tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.sandbox.model_talk import Json, Tool
from deployments.sandbox.refusals import Refused

_PICTURES = {"image", "image_url"}


def check(holds: object, message: str) -> None:
    """Raise Refused with 400 and the message, unless it holds."""
    if not holds:
        raise Refused(400, message)


def objects_in(body: Json, name: str, least: int = 0) -> list[Json]:
    """A list of objects out of a body; [] where it is missing or null.

    Raises:
        Refused: it is no list, one is no object, or there are fewer than ``least``.
    """
    found = body.get(name)
    found = [] if found is None else found
    check(isinstance(found, list) and all(isinstance(x, dict) for x in found), f"'{name}': bad")
    check(len(found) >= least, f"'{name}': Expected an array with minimum length {least}")
    return list(found)


def object_in(body: Json, name: str) -> Json:
    """An object out of a body; {} where it is missing or null."""
    found = body.get(name)
    check(found is None or isinstance(found, dict), f"'{name}' is not an object")
    return found or {}


def count_in(body: Json, *names: str) -> int | None:
    """A positive whole number by the first of its names that is there; None without one."""
    for name in names:
        if (found := body.get(name)) is not None:
            check(type(found) is int and found > 0, f"'{name}': must be a positive integer")
            return int(found)
    return None


def text_of(content: Any) -> str:
    """The text of a content: itself, or that of its parts."""
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if _is_list(content) else []
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def pictures_in(content: Any) -> int:
    """How many pictures a content has."""
    parts = content if _is_list(content) else ()
    return sum(isinstance(part, dict) and part.get("type") in _PICTURES for part in parts)


def last_text(messages: list[Json]) -> str:
    """The text of the last message of a user."""
    of_users = (text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user")
    return next(of_users, "")


def tools_in(body: Json, part: Callable[[Json], tuple[Any, Any]]) -> tuple[Tool, ...]:
    """The tools of a body.

    Args:
        body: the request's.
        part: a tool's name and the schema of its arguments.

    Raises:
        Refused: one has no name, or a schema that is no object.
    """
    found = []
    for number, tool in enumerate(objects_in(body, "tools")):
        name, schema = part(tool)
        check(isinstance(name, str) and name, f"tools.{number}: the name is missing")
        check(schema is None or isinstance(schema, dict), f"tools.{number}: the schema is bad")
        found.append(Tool(name, schema or {}))
    return tuple(found)


def function_of(tool: Json) -> tuple[Any, Any]:
    """Name and schema of a tool in OpenAI's shape, which Ollama has too."""
    function = object_in(tool, "function")
    return function.get("name"), function.get("parameters")


def _is_list(content: Any) -> bool:
    return isinstance(content, list)
