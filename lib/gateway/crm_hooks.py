"""The door of Bitrix24's outgoing webhook: what happened there is kept, and worked on later.

Bitrix24 never sends an event again, and asks less often of who is slow to answer: whatever is not
kept here is found by ``reconcile``.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from lib.domain.crm_events import CrmEvent, event_from, form_from
from lib.gateway.body import read_body
from lib.gateway.hooks import DoorKeys, answered
from lib.store.events import CALLS, UPKEEP, event
from lib.store.inbox import Inbox, NewDelivery

PORTAL = "main"
EVENT_MAX_BYTES = 64_000  # one with every field has 2 kB


def delivery_from(said: CrmEvent) -> NewDelivery:
    """An event of the portal as the inbox keeps it: by ids; its body has our token in it."""
    cause = f"{said.name}:{said.at}:{said.digest}"
    if said.kind == "call":
        return event(CALLS, f"call:{said.about}", {"call_id": said.about}, cause)
    named = "crm_lead_id" if said.kind == "lead" else "crm_comment_id"
    message = {named: int(said.about), "event": said.name}
    return event(UPKEEP, f"{named}:{said.about}", message, cause)


def crm_hooks_router(inbox: Inbox, keys: DoorKeys) -> APIRouter:
    """The door over an inbox."""
    router = APIRouter(prefix="/hooks")

    @router.post("/bitrix24")
    async def bitrix24(request: Request) -> JSONResponse:
        async def work() -> dict[str, object]:
            keys.check_has_portal(PORTAL)
            form = form_from(await read_body(request, EVENT_MAX_BYTES))
            keys.check_portal(PORTAL, form.token)
            said = event_from(form)
            if said is None:
                return {"ok": True, "result": "ignored"}
            is_new = await inbox.accept(delivery_from(said))
            return {"ok": True, "result": "accepted" if is_new else "duplicate"}

        return await answered("bitrix24", work)

    return router
