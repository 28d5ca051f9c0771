"""What travels in a Bitrix24 ``batch``: commands as PHP query strings, answers by key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from lib.errors import PotokError, Rejected

T = TypeVar("T")

BATCH_LENGTH = 50
_REFERENCE = re.compile(r"\$(?=(?:result|error|total|next|time)\S*\[)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.~\-]+")


class Reference(str):
    """A value that Bitrix24 takes from the answer to an earlier command of the same batch."""

    __slots__ = ()

    @classmethod
    def to(cls, key: str, *path: str | int) -> Reference:
        """Point into the answer to the command ``key``: ``Reference.to("add", "item", "id")``."""
        return cls("$result" + "".join(f"[{step}]" for step in (key, *path)))


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a batch.

    Attributes:
        key: the caller's name for it, unique in the batch.
        method: REST method.
        params: nested dicts, lists and scalars; `Reference` for an earlier answer.
    """

    key: str
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of each command: every key is in ``results`` or in ``errors``.

    Attributes:
        results: what the commands gave.
        errors: why the others gave nothing; Unavailable: it was not carried out.
        totals: how many were found, for commands that list.
    """

    results: dict[str, Any]
    errors: dict[str, PotokError]
    totals: dict[str, int]

    def result_of(self, key: str) -> Any:
        """What this command gave.

        Raises:
            PotokError: its error.
        """
        if key in self.errors:
            raise self.errors[key]
        return self.results[key]


def batch_params(commands: Sequence[Command], *, halt: bool) -> dict[str, Any]:
    """The body of a ``batch`` request.

    Raises:
        Rejected: no commands, more than 50, two with one key, or a key PHP cannot carry.
    """
    if not 1 <= len(commands) <= BATCH_LENGTH:
        raise Rejected(f"a batch carries 1 to {BATCH_LENGTH} commands, not {len(commands)}")
    encoded = {c.key: f"{c.method}?{php_query(c.params)}" for c in commands}
    if len(encoded) != len(commands):
        raise Rejected("two commands of a batch have the same key")
    return {"halt": int(halt), "cmd": encoded}


def php_query(params: Mapping[str, Any]) -> str:
    """Write nested parameters the way PHP reads them: ``fields[fm][0][value]=…``.

    None becomes an empty string, True and False 1 and 0; empty dicts and lists vanish, as PHP
    has no way to write them. A ``$result[…]`` in a plain string is broken by a word joiner,
    or a customer's text could read other customers' answers; use `Reference` to mean it.

    Raises:
        Rejected: a key with a bracket, an empty key, or text that is not valid Unicode.
    """
    pairs: list[str] = []
    try:
        _write(dict(params), "", pairs)
        return "&".join(pairs)
    except UnicodeEncodeError as exc:
        raise Rejected("a parameter is not valid Unicode") from exc


def by_key(value: object) -> dict[str, Any]:
    """Read a PHP array as an object: ``[]`` is ``{}``, a list has the keys "0", "1" …"""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def items_of(result: Any) -> list[dict[str, Any]]:
    """The rows of crm.item.list."""
    return [by_key(item) for item in by_key(by_key(result).get("items")).values()]


def chunks(things: Sequence[T], size: int) -> Iterator[list[T]]:
    """Split into lists of at most ``size``."""
    left = iter(things)
    while chunk := list(islice(left, size)):
        yield chunk


def _write(value: Any, prefix: str, pairs: list[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            name = _key(str(key), inside=bool(prefix))
            _write(item, f"{prefix}[{name}]" if prefix else name, pairs)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _write(item, f"{prefix}[{index}]", pairs)
    else:
        pairs.append(f"{prefix}={_quoted(scalar(value))}")


def scalar(value: Any) -> str:
    """One value as PHP form text.

    Raises:
        Rejected: a type that has no form text.
    """
    if isinstance(value, Reference):
        return value
    if isinstance(value, str):
        return _REFERENCE.sub(f"${_WORD_JOINER}", value) if "$" in value else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise Rejected(f"a parameter of type {type(value).__name__} cannot be sent")


def _quoted(text: str) -> str:
    # Whole runs at once: urllib goes byte by byte, 20 times slower on Cyrillic.
    return _UNSAFE.sub(_run, text)


def _run(match: re.Match[str]) -> str:
    return "%" + match[0].encode().hex("%")


@lru_cache(maxsize=2048)
def _key(key: str, *, inside: bool) -> str:
    # PHP cuts an inner key at "]", and rewrites dots, spaces and "[" of an outer one.
    barred = "]" if inside else "[]. "
    if not key.strip(" ") or any(char in barred for char in key) or "\0" in key:
        raise Rejected("a parameter's name cannot be written in PHP brackets")
    return _quoted(key)
