"""The portal's telephony over REST, and the control route that makes calls.

    POST /control/bitrix/calls  a call or a list of them in the statistic's own words, see
                                `Telephony.put`; or ``{"make": 100000, "seed": 1, "leads": [7]}``
    GET                         how many there are, and the last id

Source:
    apidocs.bitrix24.com, voximplant.statistic.get, crm.activity.list,
    crm.activity.binding.list; read 2026-11.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.bitrix_calls import (
    PortalCall,
    Telephony,
    activity_row,
    statistic_row,
    with_activity,
)
from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_filter import PAGE
from deployments.sandbox.bitrix_methods import Answer, Params
from deployments.sandbox.bitrix_php import mapping
from deployments.sandbox.bitrix_portal import Portal

_CONDITION = re.compile(r"(!=|>=|<=|=|>|<|@|!@|!)?([A-Z_]+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    **{">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le},
    **{"": operator.eq, "=": operator.eq, "!": operator.ne, "!=": operator.ne},
}
# What can be compared as a number, or as the text that it is.
_VALUES: dict[str, Callable[[PortalCall], Any]] = {
    "ID": lambda call: call.id,
    "CALL_START_DATE": lambda call: call.at,
    "CALL_DURATION": lambda call: float(call.duration or 0),
    "CALL_TYPE": lambda call: call.type,
    "CALL_FAILED_CODE": lambda call: call.code,
    "CRM_ENTITY_TYPE": lambda call: call.entity_type,
    "CRM_ENTITY_ID": lambda call: call.entity_id,
    "PHONE_NUMBER": lambda call: call.phone,
    "CALL_ID": lambda call: call.call_id,
}
_OF_ACTIVITY: dict[str, Callable[[PortalCall], Any]] = {
    "ID": lambda call: call.id,
    "START_TIME": lambda call: call.at,
    "TYPE_ID": lambda call: "2",
    "PROVIDER_ID": lambda call: "VOXIMPLANT_CALL",
    "DIRECTION": lambda call: "1" if call.type in ("2", "3") else "2",
    "OWNER_TYPE_ID": lambda call: str(call.bindings[0][0]),
    "OWNER_ID": lambda call: str(call.bindings[0][1]),
}
_MOMENTS = frozenset({"CALL_START_DATE", "START_TIME"})
_NUMBERS = frozenset({"ID", "CALL_DURATION"})


def statistic_get(portal: Portal, params: Params) -> Answer:
    """voximplant.statistic.get: parameters in capitals, pages of 50 by ``start``, and a total."""
    found = _found(portal.telephony, mapping(params.get("FILTER")), _VALUES)
    sort, order = str(params.get("SORT") or ""), str(params.get("ORDER") or "ASC").upper()
    if sort in _VALUES and sort != "CALL_TYPE":  # another field sorts nothing
        if sort != "ID":
            found = sorted(found, key=_VALUES[sort])
        if order == "DESC":
            found = found[::-1]
    return _paged(found, params.get("start"), statistic_row)


def activity_list(portal: Portal, params: Params) -> Answer:
    """crm.activity.list, of the calls' activities; one comes as often as a binding fits."""
    wanted = mapping(params.get("filter", params.get("FILTER")))
    pairs = [mapping(pair) for pair in mapping(wanted.pop("BINDINGS", None)).values()]
    found = _found(portal.telephony, wanted, _OF_ACTIVITY, with_activity)
    if pairs:
        found = [call for call in found for pair in pairs for _ in range(_bindings(call, pair))]
    order = {k.upper(): str(v).upper() for k, v in mapping(params.get("order")).items()}
    found = sorted(found, key=lambda c: c.id) if "ID" in order else sorted(found, key=_started_at)
    if "DESC" in order.values():
        found.reverse()
    select = [str(name) for name in mapping(params.get("select")).values()]

    def shown(call: PortalCall) -> dict[str, Any]:
        row = activity_row(call)
        return row if not select or "*" in select else {k: v for k, v in row.items() if k in select}

    return _paged(found, params.get("start"), shown)


def binding_list(portal: Portal, params: Params) -> Answer:
    """crm.activity.binding.list: what one activity is bound to."""
    given = str(params.get("activityId", ""))
    if not given:
        raise RestError("100", "Could not find value for parameter {activityId}")
    call = portal.telephony.calls.get(int(given) if given.isdigit() else 0)
    if call is None or not call.has_activity:
        raise RestError("NOT_FOUND", "Not found")
    return Answer([{"entityTypeId": kind, "entityId": one} for kind, one in call.bindings])


TELEPHONY_METHODS: dict[str, Callable[[Portal, Params], Answer]] = {
    "voximplant.statistic.get": statistic_get,
    "crm.activity.list": activity_list,
    "crm.activity.binding.list": binding_list,
}


async def calls_made(portal: Portal, request: Request) -> Response:
    """The control surface: make calls, or show how many there are."""
    telephony = portal.telephony
    if request.method == "POST":
        try:
            wish = orjson.loads(await request.body())
            if isinstance(wish, dict) and "make" in wish:
                telephony.make(wish)
            else:
                for one in wish if isinstance(wish, list) else [wish]:
                    call = telephony.put(one)
                    portal.announce("ONVOXIMPLANTCALLEND", CALL_ID=call.call_id)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, 422)
    return JSONResponse({"calls": len(telephony.calls), "last_id": telephony.last_id})


def _found(
    telephony: Telephony,
    raw: Mapping[str, Any],
    values: Mapping[str, Callable[[PortalCall], Any]],
    of: Callable[[list[PortalCall]], list[PortalCall]] = list,
) -> list[PortalCall]:
    """The calls that meet all conditions, by rising id; a field nobody knows is ignored."""
    tests = []
    after, only = 0, None
    for key, value in raw.items():
        match = _CONDITION.fullmatch(key)
        if match is None or match[2] not in values:
            continue
        prefix, field = match[1] or "", match[2]
        if field == "ID" and prefix == ">":
            after = int(_limit(field, value))
        elif field == "ID" and prefix in ("", "=", "@"):
            only = {int(_limit(field, one)) for one in _list(value)}
        else:
            tests.append(_test(values[field], field, prefix, value))
    if only is None:
        calls = telephony.rows[bisect_right(telephony.ids, after) :]
    else:
        ids = sorted(only & telephony.calls.keys())
        calls = [telephony.calls[number] for number in ids if number > after]
    calls = of(calls)
    return [call for call in calls if all(test(call) for test in tests)] if tests else calls


def _test(
    value_of: Callable[[PortalCall], Any], field: str, prefix: str, value: Any
) -> Callable[[PortalCall], bool]:
    if prefix in ("@", "!@") or isinstance(value, dict | list):
        among = {_limit(field, one) for one in _list(value)}
        return lambda call: (value_of(call) in among) != prefix.startswith("!")
    compare, limit = _COMPARE[prefix], _limit(field, value)
    return lambda call: compare(value_of(call), limit)


def _limit(field: str, value: Any) -> Any:
    try:
        if field in _MOMENTS:
            return datetime.fromisoformat(str(value)).timestamp()
        return float(value) if field in _NUMBERS else str(value)
    except (TypeError, ValueError):
        raise RestError("ERROR_CORE", "Invalid filter value") from None


def _list(value: Any) -> list[Any]:
    return list(mapping(value).values()) if isinstance(value, dict | list) else [value]


def _bindings(call: PortalCall, pair: Mapping[str, Any]) -> int:
    """How many bindings of a call's activity fit a pair of a filter."""
    kind, one = pair.get("OWNER_TYPE_ID"), pair.get("OWNER_ID")
    return sum(
        kind in (None, str(b_kind), b_kind) and one in (None, str(b_one), b_one)
        for b_kind, b_one in call.bindings
    )


def _paged(
    found: list[PortalCall], start: object, row: Callable[[PortalCall], dict[str, Any]]
) -> Answer:
    # Nothing says that -1 switches counting off here, so it does not.
    offset = int(str(start)) if str(start).isdigit() else 0
    offset = offset // PAGE * PAGE
    following = offset + PAGE
    page = [row(call) for call in found[offset:following]]
    return Answer(page, len(found), following if following < len(found) else None)


def _started_at(call: PortalCall) -> float:
    return call.at
