"""The control surface of the stand-in portal; its routes are described in `bitrix`."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.sandbox.bitrix_events import handler_set
from deployments.sandbox.bitrix_fields import COMPANY, CONTACT, LEAD
from deployments.sandbox.bitrix_portal import Portal
from deployments.sandbox.bitrix_telephony import calls_made


def bitrix_control(portal: Portal) -> list[Route]:
    """Routes that switch failures on, show the state and reset it."""

    async def failures(request: Request) -> Response:
        if request.method == "DELETE":
            portal.failures.clear()
        elif request.method == "POST":
            return _switched_on(portal, await _body(request))
        return _json(portal.failures.listed())

    async def state(request: Request) -> Response:
        return _json(state_of(portal))

    async def leads(request: Request) -> Response:
        origin = request.query_params.get("originId")
        found = portal.with_origin(LEAD, [origin]) if origin else portal.items[LEAD].values()
        return _json(
            [{**lead, "timeline": portal.comments.get((LEAD, lead["id"]), [])} for lead in found]
        )

    async def handler(request: Request) -> Response:
        return await handler_set(portal.outgoing, request)

    async def calls(request: Request) -> Response:
        return await calls_made(portal, request)

    async def limit(request: Request) -> Response:
        return _limited(portal, await _body(request))

    async def reset(request: Request) -> Response:
        portal.reset(keep_ids=True)
        return _json(state_of(portal))

    return [
        Route("/failures", failures, methods=["GET", "POST", "DELETE"]),
        Route("/state", state),
        Route("/leads", leads),
        Route("/handler", handler, methods=["GET", "POST", "DELETE"]),
        Route("/calls", calls, methods=["GET", "POST"]),
        Route("/limit", limit, methods=["POST"]),
        Route("/reset", reset, methods=["POST"]),
    ]


def state_of(portal: Portal) -> dict[str, Any]:
    """Counts of what is stored and of what was asked, and what is switched on."""
    named = {"leads": LEAD, "contacts": CONTACT, "companies": COMPANY}
    stored = {name: len(portal.items[entity]) for name, entity in named.items()}
    return {
        "stored": {**stored, "comments": sum(map(len, portal.comments.values()))},
        "requests": portal.requests,
        "commands": portal.commands,
        "errors": portal.errors,
        "recent": {method: list(rows) for method, rows in portal.recent.items()},
        "failures": portal.failures.listed(),
        "limit": limit_of(portal),
    }


def limit_of(portal: Portal) -> dict[str, Any]:
    """The request limit: ``{"off": true}``, or its figures and how full the bucket is."""
    bucket = portal.bucket
    if bucket is None:
        return {"off": True}
    return {"burst": bucket.burst, "per_s": bucket.per_s, "level": round(bucket.level, 2)}


def _switched_on(portal: Portal, wishes: Any) -> Response:
    try:
        for wish in wishes if isinstance(wishes, list) else [wishes]:
            portal.failures.add(wish)
    except ValueError as exc:
        return _json({"error": str(exc)}, 422)
    return _json(portal.failures.listed())


def _limited(portal: Portal, wish: Any) -> Response:
    try:
        off = bool(wish.get("off"))
        portal.limit(None if off else float(wish["burst"]), float(wish.get("per_s", 2)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return _json({"error": 'give {"burst": 50, "per_s": 2} or {"off": true}'}, 422)
    return _json(limit_of(portal))


async def _body(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
