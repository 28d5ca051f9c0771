"""Failures that a test or a person switches on: for the next n calls, or until a reset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Failure(BaseModel):
    """One switched-on failure.

    Attributes:
        kind: what goes wrong; each sandbox names its own kinds.
        times: calls it still spoils; None until a reset.
        method: only this method (any letter case); None for all.
        status: HTTP status of kind ``status``.
        retry_after_s: what the refusal says about coming back.
        delay_s: pause before the answer of kind ``slow``.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str
    times: int | None = Field(default=None, ge=1)
    method: str | None = None
    status: int = Field(default=500, ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)
    delay_s: float = Field(default=0, ge=0)


@dataclass
class Failures:
    """The failures that wait for their calls, first come first served."""

    kinds: frozenset[str]
    waiting: list[Failure] = field(default_factory=list)

    def switch_on(self, body: Any) -> Failure:
        """Add one.

        Raises:
            ValueError: the body is not a failure of a kind known here.
        """
        failure = Failure.model_validate(body)
        if failure.kind not in self.kinds:
            raise ValueError(f"kind is one of {', '.join(sorted(self.kinds))}")
        self.waiting.append(failure)
        return failure

    def next_for(self, method: str = "") -> Failure | None:
        """The failure that spoils this call, used up by one; None for an honest answer."""
        for failure in self.waiting:
            if failure.method is None or failure.method.lower() == method.lower():
                if failure.times is not None:
                    failure.times -= 1
                    if failure.times == 0:
                        self.waiting.remove(failure)
                return failure
        return None


class CutResponse(Response):
    """The beginning of an answer, after which the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise 4096 bytes and send a few."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"', "more_body": True})


async def never_answered(request: Request) -> Response:
    """Hold the connection until the caller leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=499)
