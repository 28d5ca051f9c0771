"""Reading a client's JSON: the wanted value, or ``Rejected`` with the parameter's path.

In OpenAI's manner: ``Invalid type for 'messages[0].role': expected a string, but got an integer.``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from lib.domain.llm.checked import is_a
from lib.domain.llm.wire import Json
from lib.errors import Rejected

T = TypeVar("T", str, bool, int, float, Json, list[object])

_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
    type(None): "null",
}
_PARAM = re.compile(
    r"(?:Invalid (?:type|value) for|Missing required parameter:|Unsupported:) '(.+?)'"
)


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object of a request, and the path that leads to it; "" for the body itself."""

    json: Json
    path: str = ""

    def at(self, key: str) -> str:
        """The path of a parameter, such as ``messages[0].role``."""
        return f"{self.path}.{key}" if self.path else key

    def maybe(self, key: str, kind: type[T]) -> T | None:
        """The value of a parameter; None when it is absent or null. A number is a ``float``.

        Raises:
            Rejected: it is of another kind.
        """
        value: Any = self.json.get(key)
        if value is None:
            return None
        if not is_a(value, kind):
            raise self.mistyped(key, _NAMES[kind])
        return cast(T, value)

    def need(self, key: str, kind: type[T]) -> T:
        """The value of a parameter that has to be there.

        Raises:
            Rejected: it is absent, null, or of another kind.
        """
        found = self.maybe(key, kind)
        if found is None:
            raise Rejected(f"Missing required parameter: '{self.at(key)}'.")
        return found

    def text(self, key: str) -> str:
        """A string that has to be there, with something in it.

        Raises:
            Rejected: it is absent, empty, or no string.
        """
        found = self.need(key, str)
        if not found:
            raise self.wrong(key, "it is empty")
        return found

    def one_of(self, key: str, words: Iterable[str]) -> str:
        """A string out of a list.

        Raises:
            Rejected: it is another one, or no string.
        """
        found = self.need(key, str)
        if found not in words:
            raise self.wrong(key, f"supported values are {', '.join(map(repr, words))}")
        return found

    def inner(self, key: str) -> Fields:
        """The object of a parameter that has to be there.

        Raises:
            Rejected: it is absent or no object.
        """
        return Fields(self.need(key, dict), self.at(key))

    def maybe_inner(self, key: str) -> Fields | None:
        """The object of a parameter; None when it is absent or null.

        Raises:
            Rejected: it is no object.
        """
        return None if self.json.get(key) is None else self.inner(key)

    def objects(self, key: str) -> list[Fields]:
        """The objects of a list; [] when it is absent or null.

        Raises:
            Rejected: it is no list, or holds something else.
        """
        found = []
        for index, item in enumerate(self.maybe(key, list) or ()):
            path = f"{self.at(key)}[{index}]"
            if not isinstance(item, dict):
                raise _wrong_type(path, "an object", item)
            found.append(Fields(item, path))
        return found

    def refuse(self, advice: Mapping[str, str]) -> None:
        """Refuse what this door does not have.

        Args:
            advice: what to do instead, per parameter.

        Raises:
            Rejected: one of the parameters is there, and not null or false.
        """
        for key, instead in advice.items():
            if self.json.get(key) not in (None, False):
                raise self.unsupported(key, instead)

    def mistyped(self, key: str, wanted: str) -> Rejected:
        """The error for a value of a type that is not wanted."""
        return _wrong_type(self.at(key), wanted, self.json.get(key))

    def wrong(self, key: str, why: str) -> Rejected:
        """The error for a value that has the right type and still will not do."""
        return Rejected(f"Invalid value for '{self.at(key)}': {why}.")

    def unsupported(self, key: str, advice: str) -> Rejected:
        """The error for what this door does not have."""
        return Rejected(f"Unsupported: '{self.at(key)}': {advice}.")


def param_in(message: str) -> str | None:
    """The parameter that an error of this module is about; None for any other message."""
    found = _PARAM.search(message)
    return found[1] if found else None


def _wrong_type(path: str, wanted: str, value: object) -> Rejected:
    return Rejected(f"Invalid type for '{path}': expected {wanted}, but got {_NAMES[type(value)]}.")
