"""The portal's outgoing webhook: what changed is told once, in the background, and never again.

    POST /control/bitrix/handler    ``{"url", "token", "events"}``; without ``events``: all
    GET, DELETE                     what is set; none
    POST /control/bitrix/failures   ``{"kind": "lose_event", "methods": ["oncrmleadupdate"]}``

Source:
    apidocs.bitrix24.com, "Events" and the pages of onCrmLead*, onCrmTimelineCommentAdd,
    OnVoximplantCallEnd; snapshot of 2026-08.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

EVENTS = (
    *("ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMLEADDELETE"),
    *("ONCRMTIMELINECOMMENTADD", "ONVOXIMPLANTCALLEND"),
)
_ANSWER_WITHIN_S = 10.0
_MEMBER = "0f5e4d3c2b1a09f8e7d6c5b4a3928170"


@dataclass(frozen=True, slots=True)
class Handler:
    """Where events go, with which token, and which of them."""

    url: str
    token: str
    events: tuple[str, ...] = EVENTS


class Outgoing:
    """The queue of events to one handler; without one nothing is told.

    Attributes:
        counts: events by what became of them: ``delivered``, ``refused``, ``lost``.
        pending: those that are on their way.
    """

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.counts: Counter[str] = Counter()
        self.pending: set[asyncio.Task[None]] = set()

    def wants(self, event: str) -> bool:
        """Whether the handler is to be told of it."""
        return self.handler is not None and event in self.handler.events

    def tell(self, event: str, fields: Mapping[str, object]) -> None:
        """Post it once, in the background."""
        assert self.handler is not None
        told = asyncio.get_running_loop().create_task(self._post(self.handler, event, fields))
        self.pending.add(told)
        told.add_done_callback(self.pending.discard)

    async def _post(self, handler: Handler, event: str, fields: Mapping[str, object]) -> None:
        body = urlencode(form_of(handler, event, fields))
        headers = {"content-type": "application/x-www-form-urlencoded"}
        try:
            async with httpx.AsyncClient(
                timeout=_ANSWER_WITHIN_S, trust_env=False, verify=handler.url.startswith("https")
            ) as http:
                answer = await http.post(handler.url, content=body, headers=headers)
        except httpx.HTTPError:
            self.counts["refused"] += 1
            return
        self.counts["delivered" if answer.is_success else "refused"] += 1


def form_of(handler: Handler, event: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The form of an event, with PHP's brackets: of a call its fields, of the rest only the id."""
    inside = "data[{}]" if event.startswith("ONVOXIMPLANT") else "data[FIELDS][{}]"
    return {
        "event": event,
        "event_handler_id": 1,
        **{inside.format(name): value for name, value in fields.items()},
        "ts": int(time.time()),
        "auth[domain]": "sandbox.bitrix24.test",
        "auth[client_endpoint]": "https://sandbox.bitrix24.test/rest/",
        "auth[server_endpoint]": "https://oauth.bitrix.info/rest/",
        "auth[member_id]": _MEMBER,
        "auth[application_token]": handler.token,
    }


async def handler_set(outgoing: Outgoing, request: Request) -> Response:
    """The control surface: show, set or remove the handler; its token is not shown."""
    if request.method == "DELETE":
        outgoing.handler = None
    elif request.method == "POST":
        wish = _wish(await request.body())
        if wish is None:
            told = f'give {{"url", "token", "events"}}; events are of {", ".join(EVENTS)}'
            return JSONResponse({"error": told}, 422)
        outgoing.handler = wish
    shown = asdict(outgoing.handler) | {"token": "…"} if outgoing.handler else {}
    return JSONResponse({**shown, "counts": outgoing.counts})


def _wish(body: bytes) -> Handler | None:
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("events", []), list):
        return None
    url, token = said.get("url"), said.get("token")
    events = tuple(str(event).upper() for event in said.get("events") or EVENTS)
    if not isinstance(url, str) or not isinstance(token, str) or set(events) - set(EVENTS):
        return None
    return Handler(url, token, events)
