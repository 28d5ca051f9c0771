"""What the stand-ins for model vendors have in common: a key, a journal, failures, counts.

Control, under ``/control/VENDOR`` (JSON):

    POST …/failures  ``{"kind", "times", "model", "method", …}``, all but ``kind`` optional (see
                     `Failure`). ``method`` is the last part of a path, such as ``chat`` or
                     ``models``; without it only calls of a model fail. Kinds:
                     ``slow``              nothing comes for ``delay_s``
                     ``slow_first_token``  headers at once, the first piece after ``delay_s``
                     ``status``            ``status``, with Retry-After for ``retry_after_s``
                     ``blocked``           the vendor's refusal of a caller's country
                     ``not_found``         the model is missing
                     ``html``              a page with status 200
                     ``empty``             status 200 and no answer in it
                     ``error_in_200``      an error with status 200 (OpenRouter)
                     ``error_midstream``   the vendor's error after ``after_chunks`` pieces
                     ``garbage_midstream`` a piece that is no JSON; the stream goes on
                     ``cut``               the connection breaks after ``after_chunks`` pieces
                     ``hang_midstream``    nothing comes after ``after_chunks`` pieces
                     ``hang``              nothing comes, no header either
                     An answer that is no stream breaks in its middle; ``error_midstream`` is an
                     error instead of it.
    GET  …/failures  what is on; DELETE ends it
    GET  …/journal   the last 200 requests: method, path, query, headers without secrets, body
    GET  …/state     counts (requests, answered, refused, cancelled, each kind of failure),
                     failures, calls of a model at once now (``at_once``) and at most
                     (``max_at_once``)
    POST …/reset     as at the start
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router, request_response

from deployments.sandbox.failures import Failure, Failures
from deployments.sandbox.model_control import model_control
from deployments.sandbox.model_door import entry_of, form_in, json_in
from deployments.sandbox.model_stream import JSON, MIDSTREAM, Reply, Spoiling, Telling
from deployments.sandbox.model_talk import Asked, Json, Said, answer_to
from deployments.sandbox.refusals import Refused

KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("slow", "slow_first_token"), ("delay_s",)),
    "status": ("status", "retry_after_s"),
    **dict.fromkeys(MIDSTREAM, ("after_chunks",)),
    **dict.fromkeys(("hang", "empty", "html", "blocked", "not_found"), ()),
}
JOURNAL_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has come through the door.

    Attributes:
        number: of the request, from 1.
        body: {} without one.
        path: what the path names, such as a model's id.
        spoiled_by: the kind of the failure that strikes it; "" for none.
    """

    number: int
    body: Json
    path: dict[str, Any]
    spoiled_by: str = ""

    @property
    def model(self) -> str:
        """The model that is named; "" for none."""
        name = self.body.get("model")
        return name if isinstance(name, str) else ""

    def said(self, asked: Asked) -> Said:
        """What the model says to a question."""
        return Said() if self.spoiled_by == "empty" else answer_to(asked)


Respond = Callable[[Call], Reply]
Reading = Callable[[Request], Awaitable[Json]]


class Vendor(ABC):
    """A vendor and what it remembers; ``broken`` and ``garbage`` are pieces of its streams."""

    kinds: ClassVar[dict[str, tuple[str, ...]]] = KINDS
    broken: ClassVar[bytes]
    garbage: ClassVar[bytes] = b"data: {it is no JSON\n\n"

    def __init__(self) -> None:
        self.failures = Failures(self.kinds, ("times", "model", "method"))
        self.counts: Counter[str] = Counter()
        self.journal: deque[Json] = deque(maxlen=JOURNAL_LENGTH)
        self.numbers = itertools.count(1)
        self.at_once = 0
        self.max_at_once = 0

    @abstractmethod
    def routes(self) -> list[Route]:
        """The vendor's API."""

    @abstractmethod
    def error_body(self, refused: Refused) -> Json:
        """A refusal in the vendor's shape."""

    @abstractmethod
    def no_model(self, model: str) -> Refused:
        """A model that the vendor does not have."""

    @abstractmethod
    def no_path(self, request: Request) -> Refused:
        """A path that the vendor does not have."""

    @abstractmethod
    def check_caller(self, request: Request) -> None:
        """Raise Refused for a caller without a key."""

    def headers(self) -> dict[str, str]:
        """What every answer of the vendor carries."""
        return {}

    def blocked(self) -> Response:
        """What callers of some countries get."""
        return self.refusal(Refused(403, "This model is not available in your region."))

    def broken_whole(self) -> Response:
        """What comes instead of a whole answer when the model breaks on the way."""
        return self.refusal(Refused(500, "switched-on failure: the model broke on the way"))

    @asynccontextmanager
    async def turn(self, call: Call) -> AsyncIterator[None]:
        """Held by a call of a model as long as it takes."""
        self.at_once += 1
        self.max_at_once = max(self.max_at_once, self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1

    def state(self) -> Json:
        """Counts, and what is switched on."""
        counted = {"counts": dict(self.counts), "failures": self.failures.listed()}
        return counted | {"at_once": self.at_once, "max_at_once": self.max_at_once}

    def reset(self) -> None:
        """Forget everything but what is under way."""
        self.failures.waiting.clear()
        self.counts.clear()
        self.journal.clear()
        self.max_at_once = self.at_once

    def app(self) -> Router:
        """The API, to be mounted."""

        async def nowhere(request: Request) -> Response:
            self._note(request, await request.body())
            return self.refusal(self.no_path(request))

        return Router(routes=self.routes(), default=request_response(nowhere))

    def control(self) -> list[Route]:
        """Routes to be mounted at ``/control/VENDOR``."""
        journal = self.journal
        return model_control(
            self.failures, self.reset, state=self.state, journal=lambda: list(journal)
        )

    def asks(self, path: str, respond: Respond) -> Route:
        """A call of a model."""
        return Route(path, self._endpoint(respond, True), methods=["POST"])

    def hears(self, path: str, respond: Respond) -> Route:
        """A call of a model with a recording, in a form: see `form_in`."""
        return Route(path, self._endpoint(respond, True, form_in), methods=["POST"])

    def shows(self, path: str, respond: Respond, method: str = "GET") -> Route:
        """A call that needs no model."""
        return Route(path, self._endpoint(respond, False), methods=[method])

    def refusal(self, refused: Refused) -> Response:
        """A refusal as it is sent."""
        self.counts["refused"] += 1
        headers = dict(self.headers())
        if refused.retry_after_s is not None:
            headers["retry-after"] = str(refused.retry_after_s)
        body = orjson.dumps(self.error_body(refused))
        return Response(body, refused.status, headers=headers, media_type=JSON)

    def _endpoint(
        self, respond: Respond, asks_model: bool, reading: Reading = json_in
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._note(request, await request.body())
            try:
                self.check_caller(request)
                call = Call(next(self.numbers), await reading(request), request.path_params)
                method = request.url.path.rpartition("/")[2]
                failure = self.failures.next_for(method, call.model, not asks_model)
                return self._answer(respond, call, failure, asks_model)
            except Refused as refused:
                return self.refusal(refused)

        return endpoint

    def _answer(
        self, respond: Respond, call: Call, failure: Failure | None, asks_model: bool
    ) -> Response:
        kind = failure.kind if failure else ""
        if failure is not None:
            self.counts[kind] += 1
            if (instead := self._instead(failure, call.model)) is not None:
                return instead
        reply = respond(Call(call.number, call.body, call.path, kind))
        if kind in {"error_in_200", "error_midstream"} and not reply.is_stream:
            return self.broken_whole()
        turn = self.turn(call) if asks_model else nullcontext()
        reply.headers.update(self.headers())
        return Telling(reply, Spoiling(failure, self.broken, self.garbage), turn, self.counts)

    def _instead(self, failure: Failure, model: str) -> Response | None:
        """What a failure answers instead of the vendor; None when that comes to an answer."""
        if failure.kind == "html":
            return Response("<html><body>Sign in</body></html>", media_type="text/html")
        if failure.kind == "blocked":
            return self.blocked()
        if failure.kind == "not_found":
            raise self.no_model(model)
        if failure.kind == "status":
            words = f"switched-on failure {failure.status}"
            raise Refused(failure.status, words, retry_after_s=failure.retry_after_s)
        return None

    def _note(self, request: Request, raw: bytes) -> None:
        self.counts["requests"] += 1
        self.journal.append(entry_of(request, raw))
