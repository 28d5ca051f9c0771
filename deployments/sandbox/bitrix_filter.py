"""Lists of items: filter with its prefixes, order, select, pages of 50."""

from __future__ import annotations

import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_fields import KINDS, Item
from deployments.sandbox.bitrix_portal import Portal

PAGE = 50
_CONDITION = re.compile(r"(!=%|!%=|!=|!%|!@|=%|%=|>=|<=|=|>|<|%|@|!)?(.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
Condition = tuple[str, str, Any]
Page = tuple[list[Item], int, int | None]


def found_items(portal: Portal, entity: int, conditions: list[Condition]) -> list[Item]:
    """The items that meet all conditions, by rising id."""
    kinds = KINDS[entity]
    tests = [_test(kinds[field], field, prefix, value) for field, prefix, value in conditions]
    candidates = _candidates(portal, entity, conditions)
    return [item for item in candidates if all(test(item) for test in tests)]


def conditions_from(raw: Mapping[str, Any], kinds: Mapping[str, str]) -> list[Condition]:
    """Split filter keys into (field, prefix, value).

    Raises:
        RestError: INVALID_ARG_VALUE, for a field that is not in ``kinds``.
    """
    conditions = []
    for key, value in raw.items():
        match = _CONDITION.fullmatch(key)
        prefix, field = (match[1] or "", match[2]) if match else ("", key)
        if field not in kinds:
            wrong = f"Invalid filter: field '{field}' is not allowed in filter"
            raise RestError("INVALID_ARG_VALUE", wrong)
        conditions.append((field, prefix, value))
    return conditions


def ordered(items: list[Item], order: Mapping[str, Any], kinds: Mapping[str, str]) -> list[Item]:
    """Sort by several fields; items come in by rising id.

    Raises:
        RestError: INVALID_ARG_VALUE, for an unknown field or direction.
    """
    for field, direction in reversed(list(order.items())):
        if field not in kinds or str(direction).upper() not in ("ASC", "DESC"):
            raise RestError("INVALID_ARG_VALUE", f"Invalid order: field '{field}'")
        descending = str(direction).upper() == "DESC"
        if field == "id" and not descending and len(order) == 1:
            return items
        items = sorted(items, key=lambda item: _sort_key(item[field]), reverse=descending)
    return items


def page_of(items: list[Item], start: object) -> Page:
    """Cut one page.

    Args:
        items: everything found, in order.
        start: offset; it is rounded down to a page, and -1 switches counting off.

    Returns:
        The page; the total (0 without counting); the next offset, None on the last page.
    """
    offset = int(str(start)) if re.fullmatch(r"-?\d+", str(start)) else 0
    if offset == -1:
        return items[:PAGE], 0, None
    offset = max(0, offset) // PAGE * PAGE
    following = offset + PAGE
    return items[offset:following], len(items), following if following < len(items) else None


def _candidates(portal: Portal, entity: int, conditions: list[Condition]) -> Iterable[Item]:
    items = portal.items[entity]
    for field, prefix, value in conditions:
        if prefix in ("", "=", "@") and value not in (None, "", []):
            wanted = value if isinstance(value, list) else [value]
            if field == "id":
                numbers = sorted({int(n) for n in wanted if str(n).isdigit()} & items.keys())
                return [items[number] for number in numbers]
            if field == "originId" and "" not in wanted:
                return portal.with_origin(entity, wanted)
    for field, prefix, value in conditions:
        if field == "id" and prefix == ">" and str(value).isdigit():
            numbers = list(items)
            return [items[number] for number in numbers[bisect_right(numbers, int(value)) :]]
    return list(items.values())


def _test(kind: str, field: str, prefix: str, value: Any) -> Callable[[Item], bool]:
    if "%" in prefix:
        return _like(field, prefix, str(value))
    if prefix in _COMPARE:
        compare = _COMPARE[prefix]
        limit = _comparable(kind, value)
        return lambda item: (
            item[field] is not None and compare(_comparable(kind, item[field]), limit)
        )
    values = value if isinstance(value, list) else [value]
    wanted = {_comparable(kind, one) for one in values}
    negative = prefix.startswith("!")
    return lambda item: (_comparable(kind, item[field]) in wanted) != negative


def _like(field: str, prefix: str, value: str) -> Callable[[Item], bool]:
    pattern = value if "=" in prefix else f"%{value}%"
    literal = re.escape(pattern).replace("%", ".*").replace("_", ".")
    compiled = re.compile(literal, re.IGNORECASE | re.DOTALL)
    negative = prefix.startswith("!")
    return lambda item: bool(compiled.fullmatch(str(item[field] or ""))) != negative


def _comparable(kind: str, value: Any) -> Any:
    if value is None or value == "":
        return "" if kind in ("text", "flag") else 0.0
    try:
        if kind in ("whole", "number"):
            return float(value)
        if kind == "time":
            return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, TypeError):
        raise RestError("INVALID_ARG_VALUE", "Invalid filter value") from None
    return str(value).casefold()


def _sort_key(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value).casefold())
