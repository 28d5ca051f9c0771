"""How PHP reads a form: ``fields[PHONE][0][VALUE]=…`` becomes nested dicts and lists."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

Key = str | int
_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")


def query_params(query: str) -> dict[str, Any]:
    """Read ``a[b]=1&c=2``, the form of a URL query and of an urlencoded body.

    Args:
        query: percent-encoded UTF-8 text; bytes that are not UTF-8 are replaced.

    Returns:
        Nested dicts and lists; every leaf is a string.
    """
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return form_params((_decoded(name), _decoded(value)) for name, _, value in pairs)


def form_params(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read decoded pairs of a form; a later value of the same name wins, as in PHP.

    Returns:
        Nested dicts and lists; arrays numbered 0, 1, 2 … become lists.

    Source:
        php.net, parse_str and "Variables from external sources", read 2026-11.
    """
    tree: dict[Key, Any] = {}
    for name, value in pairs:
        path = _path(name)
        if not path:
            continue
        node = tree
        for key in path[:-1]:
            key = _free_index(node) if key == "" else key
            child = node.get(key)
            if not isinstance(child, dict):
                child = node[key] = {}
            node = child
        last = path[-1]
        node[_free_index(node) if last == "" else last] = value
    return {str(key): _listed(value) for key, value in tree.items()}


def mapping(value: object) -> dict[str, Any]:
    """A parameter that should be an object: ``[]``, a list or a missing one read as PHP does."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def array(items: Mapping[str, Any]) -> dict[str, Any] | list[Any]:
    """An array the way PHP's json_encode writes it: ``[]`` when empty, a list when 0, 1, 2 …"""
    if all(key == str(index) for index, key in enumerate(items)):
        return list(items.values())
    return dict(items)


def _decoded(text: str) -> str:
    if "%" not in text:
        return text.replace("+", " ")
    if _MALFORMED.search(text):
        return unquote_plus(text)
    # As quoted-printable, which is decoded in C: urllib takes 50 times longer on Cyrillic.
    printable = text.replace("+", " ").replace("=", "=3D").replace("%", "=")
    return a2b_qp(printable.encode()).decode("utf-8", "replace")


@lru_cache(maxsize=4096)
def _path(name: str) -> tuple[Key, ...]:
    name = name.lstrip(" ")
    head, bracket, rest = name.partition("[")
    head = head.replace(" ", "_").replace(".", "_")
    if not head:
        return ()
    path: list[Key] = [_index(head)]
    while bracket:
        inner, closed, rest = rest.partition("]")
        if not closed:
            if len(path) == 1:
                path = [f"{head}_{inner.replace(' ', '_').replace('.', '_')}"]
            break
        path.append("" if inner == " " else _index(inner))
        bracket = "[" if rest.startswith("[") else ""
        rest = rest[1:]
    return tuple(path)


def _index(key: str) -> Key:
    digits = key[1:] if key.startswith("-") else key
    canonical = digits.isascii() and digits.isdigit() and (digits[0] != "0" or key == "0")
    return int(key) if canonical and len(digits) < 19 else key


def _free_index(node: dict[Key, Any]) -> int:
    return max((key for key in node if isinstance(key, int)), default=-1) + 1


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if all(key == index for index, key in enumerate(value)):
        return [_listed(item) for item in value.values()]
    return {str(key): _listed(item) for key, item in value.items()}
