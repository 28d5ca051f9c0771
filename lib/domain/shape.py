"""Reading foreign JSON: the wanted value, or ``Rejected`` with the path of what is wrong.

Fields that a message cannot do without are read by the strict methods. The rest is read by the
``maybe`` ones, which take a value of another shape for an absent one: a vendor that changes an
unimportant field must not stop a chat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lib.errors import Rejected

NAME_LIMIT = 256
TEXT_LIMIT = 8192  # Telegram allows 4096 UTF-16 units; a forwarder may join a few messages

_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST_S = _EARLIEST.timestamp()
_LATEST_S = _LATEST.timestamp()
_MILLISECONDS_FROM = 1e11


def clean_text(text: str, limit: int) -> str:
    """What PostgreSQL can store of a text: no NUL, no half of a surrogate pair, at most ``limit``.

    Args:
        text: any string that a JSON parser can give.
        limit: characters to keep.
    """
    text = text[:limit]
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\x00", "")


def whole_number_from(value: object) -> int | None:
    """A number that fits in a signed 64-bit integer, given as a number or as its digits."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value in _INT64 else None


def moment_from(value: object) -> datetime | None:
    """A moment, aware UTC, of this century.

    Args:
        value: Unix time in seconds or milliseconds, or ISO 8601 (without an offset: UTC).

    Returns:
        The moment, or None for anything else.
    """
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            value = int(value)
        else:
            return _moment_from_iso(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not _EARLIEST_S <= value < _LATEST_S * 1000:
        return None
    seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
    if not _EARLIEST_S <= seconds < _LATEST_S:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _moment_from_iso(value: str) -> datetime | None:
    if len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if not _EARLIEST.year < moment.year < _LATEST.year:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON object and the path that leads to it, for reasons a sender can act on."""

    fields: Mapping[str, object]
    path: str

    @classmethod
    def root(cls, value: object, path: str) -> Node:
        """The whole body.

        Raises:
            Rejected: it is not a JSON object.
        """
        if not isinstance(value, Mapping):
            raise Rejected(f"{path} is not a JSON object")
        return cls(value, path)

    def has(self, key: str) -> bool:
        """Whether the key is there with a value other than null."""
        return self.fields.get(key) is not None

    def first(self, *keys: str) -> str:
        """The first of several spellings that has a value; the first spelling when none has."""
        return next((key for key in keys if self.has(key)), keys[0])

    def maybe(self, key: str) -> Node | None:
        """The object under a key, or None when there is none."""
        value = self.fields.get(key)
        return Node(value, f"{self.path}.{key}") if isinstance(value, Mapping) else None

    def need(self, key: str) -> Node:
        """The object under a key.

        Raises:
            Rejected: it is missing or not an object.
        """
        found = self.maybe(key)
        if found is None:
            raise self.wrong(key, "an object")
        return found

    def objects(self, key: str, limit: int = 100) -> list[Node]:
        """The objects of the list under a key; whatever else the list holds is left out."""
        value = self.fields.get(key)
        items = value[:limit] if isinstance(value, list) else []
        return [
            Node(item, f"{self.path}.{key}[{index}]")
            for index, item in enumerate(items)
            if isinstance(item, Mapping)
        ]

    def maybe_id(self, key: str) -> int | None:
        """A 64-bit whole number, or None when there is none."""
        return whole_number_from(self.fields.get(key))

    def need_id(self, key: str) -> int:
        """A 64-bit whole number.

        Raises:
            Rejected: it is missing, no whole number, or too large.
        """
        found = self.maybe_id(key)
        if found is None:
            raise self.wrong(key, "a whole number of 64 bits")
        return found

    def need_moment(self, key: str) -> datetime:
        """A moment, aware UTC.

        Raises:
            Rejected: it is missing or no moment of this century.
        """
        found = moment_from(self.fields.get(key))
        if found is None:
            raise self.wrong(key, "a moment")
        return found

    def text(self, key: str) -> str:
        """A person's text, cleaned; "" when it is absent.

        Raises:
            Rejected: there is something else in its place.
        """
        value = self.fields.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return clean_text(value, TEXT_LIMIT)

    def maybe_text(self, key: str, limit: int = NAME_LIMIT) -> str | None:
        """A short text, cleaned and stripped, or None when there is none or it is empty."""
        value = self.fields.get(key)
        return (clean_text(value, limit).strip() or None) if isinstance(value, str) else None

    def wrong(self, key: str, wanted: str) -> Rejected:
        """The error that says what is missing or wrong, without the value itself."""
        if self.fields.get(key) is None:
            return Rejected(f"{self.path}.{key} is missing: {wanted} is needed")
        return Rejected(f"{self.path}.{key} is not {wanted}")
