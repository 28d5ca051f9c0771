"""Failures that a test or a person switches on: for the next n calls, or until they are ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from deployments.sandbox.refusals import plain

F = TypeVar("F", bound=BaseModel)
MAX_S = 86_400.0


class Failure(BaseModel):
    """One switched-on failure.

    Attributes:
        kind: what goes wrong; each sandbox names its own kinds.
        times: calls it still spoils; None until it is ended.
        method: only this method (any letter case); None for all.
        model: only calls of this model; None for all.
        status: HTTP status of kind ``status``.
        retry_after_s: what the refusal says about coming back.
        delay_s: pause before the answer of kind ``slow``.
        after_chunks: pieces that come before a stream goes wrong.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str
    times: int | None = Field(default=None, ge=1)
    method: str | None = None
    model: str | None = None
    status: int = Field(default=500, ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)
    delay_s: float = Field(default=0, ge=0, le=MAX_S, allow_inf_nan=False)
    after_chunks: int = Field(default=2, ge=0)

    def strikes(self, method: str, model: str) -> bool:
        """Whether it spoils a call of this method and model."""
        return (self.method is None or self.method.lower() == method.lower()) and (
            self.model is None or self.model == model
        )


def failure_from(
    shape: type[F], kinds: Mapping[str, tuple[str, ...]], shared: tuple[str, ...], body: object
) -> F:
    """The failure that somebody asks for.

    Args:
        shape: what is made of it.
        kinds: the fields that a kind has, by kind.
        shared: the fields that every kind has.
        body: the request's.

    Raises:
        ValueError: no such kind, a field that it does not have, or a wrong value; in one line.
    """
    kind = body.get("kind") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"kind is one of {', '.join(sorted(kinds))}")
    fields = (*shared, *kinds[kind])
    if unknown := sorted(body.keys() - {"kind", *fields}):
        raise ValueError(f"{kind} has no field {', '.join(unknown)}: it has {', '.join(fields)}")
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise ValueError(plain(error)) from None


@dataclass
class Failures:
    """The failures that wait for their calls, first come first served.

    Attributes:
        kinds: the fields of a kind, by kind.
        shared: the fields that every kind has.
    """

    kinds: Mapping[str, tuple[str, ...]]
    shared: tuple[str, ...] = ("times",)
    waiting: list[Failure] = field(default_factory=list)

    def switch_on(self, body: Any) -> Failure:
        """Add one.

        Raises:
            ValueError: the body is not a failure of a kind known here.
        """
        failure = failure_from(Failure, self.kinds, self.shared, body)
        self.waiting.append(failure)
        return failure

    def listed(self) -> list[dict[str, Any]]:
        """What is switched on now."""
        return [failure.model_dump() for failure in self.waiting]

    async def show_or_end(self, request: Request) -> Response:
        """Answer what is switched on; a DELETE ends it before."""
        if request.method == "DELETE":
            self.waiting.clear()
        return JSONResponse(self.listed())

    def next_for(self, method: str = "", model: str = "", is_named: bool = False) -> Failure | None:
        """The failure that spoils this call, used up by one; None for an honest answer.

        Args:
            method: of the call.
            model: that is called.
            is_named: only a failure that names the method spoils it.
        """
        for failure in self.waiting:
            if failure.strikes(method, model) and (failure.method or not is_named):
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


async def no_answer(failure: Failure, request: Request) -> Response | None:
    """What comes in place of an answer: nothing, half of one, a page; None: of another kind."""
    if failure.kind == "hang":
        return await never_answered(request)
    if failure.kind == "cut":
        return CutResponse()
    if failure.kind == "html":
        return Response("<html><body>Sign in</body></html>", media_type="text/html")
    return None


async def never_answered(request: Request) -> Response:
    """Hold the connection until the caller leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=499)
