"""The door of the speech service's callbacks: the end of a job is kept, and looked at later."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from lib.errors import Rejected
from lib.gateway.body import json_object_from, read_body
from lib.gateway.hooks import DoorKeys, UnknownDoor, answered, check_signed
from lib.store.events import TRANSCRIPTS, event
from lib.store.inbox import Inbox

CALLBACK_MAX_BYTES = 16_000_000  # four hours with every word have 8 MB
ENDS = ("asr.completed", "asr.failed")


def speech_hooks_router(inbox: Inbox, keys: DoorKeys) -> APIRouter:
    """The door over an inbox. Of a body the job's id is kept: the rest is asked of the service."""
    router = APIRouter(prefix="/hooks")

    @router.post("/speech")
    async def speech(request: Request) -> JSONResponse:
        async def work() -> dict[str, object]:
            if not keys.speech:
                raise UnknownDoor("no speech service is configured; see `potok doctor`")
            raw = await read_body(request, CALLBACK_MAX_BYTES)
            check_signed(keys.speech, raw, dict(request.headers))
            body = json_object_from(raw)
            if body.get("type") not in ENDS:
                return {"ok": True, "result": "ignored"}
            job_id = job_of(body)
            new = event(TRANSCRIPTS, f"job:{job_id}", {"job_id": job_id}, "ended")
            is_new = await inbox.accept(new)
            return {"ok": True, "result": "accepted" if is_new else "duplicate"}

        return await answered("speech", work)

    return router


def job_of(body: dict[str, object]) -> str:
    """The job that a callback tells of; raises Rejected when it names none."""
    data = body.get("data")
    named = data.get("job_id") if isinstance(data, dict) else None
    try:
        return str(UUID(str(named)))
    except ValueError:
        raise Rejected("`data.job_id` is not the id of a job") from None
