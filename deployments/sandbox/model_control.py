"""The control surface that the stand-ins for models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.failures import Failures


def model_control(
    failures: Failures, reset: Callable[[], None], **looks: Callable[[], Any]
) -> list[Route]:
    """Routes to be mounted at ``/control/VENDOR``; bodies and answers are JSON.

    Args:
        failures: POST adds one, GET lists, DELETE ends them.
        reset: brings the vendor back to its start.
        looks: what a GET shows, by the last part of its path.
    """

    async def switch_on(request: Request) -> Response:
        try:
            failure = failures.switch_on(await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"ok": True, "failure": failure.model_dump()})

    async def start_anew(request: Request) -> Response:
        reset()
        return JSONResponse({"ok": True})

    return [
        Route("/failures", switch_on, methods=["POST"]),
        Route("/failures", failures.show_or_end, methods=["GET", "DELETE"]),
        Route("/reset", start_anew, methods=["POST"]),
        *(Route(f"/{name}", _shown(look)) for name, look in looks.items()),
    ]


def _shown(look: Callable[[], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(look())

    return endpoint
