"""One REST command, and ``batch``: up to 50 of them, with references to earlier answers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from deployments.sandbox.bitrix_admin import ADMIN_METHODS
from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_methods import METHODS, Answer, Params
from deployments.sandbox.bitrix_php import array, mapping, query_params
from deployments.sandbox.bitrix_portal import Portal
from deployments.sandbox.bitrix_telephony import TELEPHONY_METHODS

BATCH_LENGTH = 50
_KNOWN = {**METHODS, **ADMIN_METHODS, **TELEPHONY_METHODS}
_WRITES = (".add", ".update", ".delete")
_REFERENCE = re.compile(r"\$(result|error|total|next|time)(\S*)", re.IGNORECASE)
_STEP = re.compile(r"\[([^\]]+)\]")


def carry_out(portal: Portal, method: str, params: Params) -> Answer:
    """Run one command.

    Args:
        portal: whose data.
        method: REST method, lower case.
        params: its parameters.

    Raises:
        RestError: as the vendor would answer.
    """
    portal.commands[method] += 1
    known = _KNOWN.get(method)
    if known is None:
        raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
    portal.failures.check(method, params, time.time())
    return known(portal, params)


def carry_out_batch(portal: Portal, params: Params) -> Answer:
    """Run the commands of a batch in their order; a failed one does not stop it unless ``halt``.

    Source:
        apidocs.bitrix24.com, batch, 2026-08; the rest module's CRestProvider and CRestUtil.
    """
    named = {name.upper(): value for name, value in params.items()}
    halt = named.get("HALT") not in (None, False, 0, "", "0")
    done: dict[str, dict[str, Any]] = {
        name: {} for name in ("result", "error", "total", "next", "time")
    }
    for number, (key, command) in enumerate(mapping(named.get("CMD")).items()):
        if number < BATCH_LENGTH and not isinstance(command, str):
            continue
        started_at = time.time()
        try:
            if number >= BATCH_LENGTH:
                raise RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            _record(done, key, _command(portal, command, done), started_at)
        except RestError as error:
            portal.errors[error.code] += 1
            done["error"][key] = {"error": error.code, "error_description": error.description}
            if halt:
                break
    return Answer(
        {"result": array(done["result"])}
        | {f"result_{name}": array(done[name]) for name in ("error", "total", "next", "time")}
    )


def is_write(method: str, params: Params) -> bool:
    """Whether a request changes the portal's data; a batch does when one of its commands does."""
    if method != "batch":
        return method.endswith(_WRITES)
    commands = mapping(params.get("cmd", params.get("CMD"))).values()
    return any(str(command).partition("?")[0].lower().endswith(_WRITES) for command in commands)


def spent(started_at: float) -> dict[str, Any]:
    """The ``time`` object: calls shorter than 0.1 s do not count for ``operating``."""
    finished_at = time.time()
    lasted = finished_at - started_at
    date = Portal.now()
    return {
        "start": started_at,
        "finish": finished_at,
        "duration": lasted,
        "processing": lasted,
        "date_start": date,
        "date_finish": date,
        "operating_reset_at": int(finished_at) + 600,
        "operating": 0,
    }


def _command(portal: Portal, command: str, done: Mapping[str, Any]) -> Answer:
    path, _, query = command.partition("#")[0].partition("?")
    method = path.lower()
    if method == "batch":
        barred = "Method is not allowed for batch usage"
        raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", barred, 405)
    return carry_out(portal, method, _resolved(query_params(query), done))


def _record(done: dict[str, dict[str, Any]], key: str, answer: Answer, started_at: float) -> None:
    done["result"][key] = answer.result
    done["time"][key] = spent(started_at)
    if answer.total is not None:
        done["total"][key] = answer.total
    if answer.next is not None:
        done["next"][key] = answer.next


def _resolved(value: Any, done: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item, done) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, done) for item in value]
    if "$" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole and _STEP.search(whole[2]):
        return _looked_up(whole, done)
    return _REFERENCE.sub(lambda match: _embedded(match, done), value)


def _embedded(match: re.Match[str], done: Mapping[str, Any]) -> str:
    if not _STEP.search(match[2]):
        return match[0]
    found = _looked_up(match, done)
    return str(found) if isinstance(found, str | int | float) else ""


def _looked_up(match: re.Match[str], done: Mapping[str, Any]) -> Any:
    # The vendor stops at the last step it could take and gives what stands there.
    found: Any = done[match[1].lower()]
    for step in _STEP.findall(match[2]):
        inside = mapping(found)
        if inside.get(step) is None:
            break
        found = inside[step]
    return found
