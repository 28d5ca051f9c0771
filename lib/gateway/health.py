"""Is it alive, is it ready, and the figures of both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lib.bounded import bounded
from lib.errors import PotokError
from lib.gateway import metrics
from lib.store.failures import StatementFailed
from lib.store.inbox import Inbox, InboxFigures

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 3.0  # of each check, and of the figures; all are asked at once
AWAY = InboxFigures(*[float("nan")] * 4)

Check = Callable[[], Coroutine[Any, Any, None]]


async def _outcome(check: Check) -> str:
    try:
        await bounded(check(), CHECK_TIMEOUT_S)
    except PotokError as exc:
        return str(exc)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
    except Exception as exc:  # whatever ends a check, the part is not well
        log.exception("health.check_failed")
        return f"the check failed: {type(exc).__name__}"
    return "ok"


def health_router(checks: Mapping[str, Check], inbox: Inbox) -> APIRouter:
    """Health doors.

    Args:
        checks: by part; each returns when the part is well and raises a PotokError otherwise.
        inbox: what ``/metrics`` counts.
    """
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """This process answers: what a load balancer asks, for Prefect may be away meanwhile."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """All that a message needs on its way is there; 503 names what is not."""
        found = await asyncio.gather(*(_outcome(check) for check in checks.values()))
        parts = dict(zip(checks, found, strict=True))
        is_ready = all(state == "ok" for state in found)
        body = {"status": "ready" if is_ready else "not ready", "parts": parts}
        return JSONResponse(body, 200 if is_ready else 503)

    @router.get("/metrics")
    async def prometheus() -> Response:
        """Prometheus' text format; the inbox's gauges are NaN without the database."""
        try:
            now = await bounded(inbox.figures(), CHECK_TIMEOUT_S)
        except (PotokError, StatementFailed, TimeoutError):
            now = AWAY
        metrics.WAITING.set(now.waiting)
        metrics.OLDEST_SECONDS.set(now.oldest_s)
        metrics.OPEN_BATCHES.set(now.open_batches)
        metrics.RETURNED_BATCHES.set(now.returned_batches)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
