"""One door to the models: a key, a question, an answer in the client's own dialect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from lib.domain.llm import asks
from lib.domain.llm.exchange import Ask, Question
from lib.domain.llm.names import plain_name
from lib.domain.llm.table import Candidate
from lib.domain.llm.wire import Json
from lib.errors import PotokError
from lib.gateway.body import json_object_from, read_body
from lib.gateway.llm.errors import Answer, answer_from
from lib.router.keyring import Keyring
from lib.router.meter import Meter
from lib.router.outcomes import reason_of
from lib.router.record import Record
from lib.router.router import CLIENT_LEFT, Router
from lib.store.failures import StatementFailed
from lib.store.llm.keys import Key

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 32_000_000  # some pictures in base64
BODY_WITHIN_S = 60.0
MODEL_HEADER = "x-potok-model"
JSON = [(b"content-type", b"application/json")]


class ErrorDialect(Protocol):
    """How a client is told of an error."""

    def error_from(self, status: int, code: str, message: str) -> Json:
        """The body."""


@dataclass(frozen=True, slots=True)
class House:
    """What every door needs."""

    router: Router
    keyring: Keyring
    meter: Meter


class Door:
    """An ASGI application for one path.

    Args:
        house: what every door needs.
        path: for the record.
        ask_from: reads a question; raises Rejected when it is wrong.
        errors: how this door's clients are told of one.
    """

    def __init__(
        self,
        house: House,
        path: str,
        ask_from: Callable[[Question], Ask],
        errors: ErrorDialect,
    ) -> None:
        self._house = house
        self._path = path
        self._ask_from = ask_from
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        reply = Reply(send)
        record = Record("", None, self._path, "")
        try:
            key = await self._house.keyring.find(secret_in(request))
            record.caller, record.key_id, record.keeps_texts = key.name, key.id, key.keeps_texts
            raw = await read_body(request, BODY_LIMIT_BYTES, BODY_WITHIN_S)
            await while_there(receive, lambda: self._work(key, request, raw, record, reply))
        except (PotokError, StatementFailed) as exc:
            await self._tell(exc, record, reply)
        except ClientLeft:
            record.ended("cancelled", CLIENT_LEFT, "the client left")
        finally:
            if record.key_id is not None:
                self._house.meter.count(record.call())

    async def _work(
        self, key: Key, request: Request, raw: bytes, record: Record, reply: Reply
    ) -> None:
        body = json_object_from(raw)
        query = request.scope["query_string"].decode("latin-1")  # request.url trusts the Host
        question = Question(body, raw, dict(request.headers), query)
        name = body.get("model")
        record.name = name[: asks.NAME_CHARS] if isinstance(name, str) else ""
        ask = self._ask_from(question)
        ask = replace(ask, name=plain_name(self._house.router.shelf.table, ask.name))
        record.name = ask.name
        self._house.keyring.check_name(key, ask.name)
        self._house.router.check(ask)
        if key.budget is not None:
            self._house.router.check_price(ask.name)
        await self._house.keyring.admit(key)
        if key.keeps_texts:
            record.texts = ask.text
        if ask.stream:
            reply.media_type = ask.media_type
            await self._house.router.stream(ask, record, reply)
            await reply.end()
        else:
            answer = await self._house.router.answer(ask, record)
            model = record.answered_by
            await reply.whole(200, answer, {MODEL_HEADER: model} if model else None)

    async def _tell(
        self, error: PotokError | StatementFailed, record: Record, reply: Reply
    ) -> None:
        told = answer_from(error)
        reason = reason_of(error) if isinstance(error, PotokError) else "database"
        record.ended(told.outcome, told.status, reason)
        log.info("llm.refused door=%s status=%d reason=%s", self._path, told.status, reason)
        await reply.whole(told.status, error_body(self._errors, told), told.headers)


class ClientLeft(Exception):
    """The client hung up before it had its answer."""


class Reply:
    """What goes back to a client; a `Sink` for the router."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.media_type = ""

    async def start(self, candidate: Candidate) -> None:
        """Begin a stream; its headers say who answers."""
        headers = [
            (b"content-type", self.media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),  # nginx would gather a stream
            (MODEL_HEADER.encode(), candidate.name.encode()),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(self, piece: bytes) -> None:
        """Send bytes of a stream."""
        if piece:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def whole(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send an answer at once."""
        named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        length = [(b"content-length", str(len(body)).encode())]
        start = {"type": "http.response.start", "status": status}
        await self._send(start | {"headers": JSON + length + named})
        await self._send({"type": "http.response.body", "body": body})


async def while_there(receive: Receive, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work; give it up when the client hangs up.

    Raises:
        ClientLeft: it did.
    """

    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    working: asyncio.Future[None] = asyncio.ensure_future(work())
    leaving = asyncio.ensure_future(left())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            if working.cancelled():
                raise ClientLeft
        await working
    finally:
        leaving.cancel()
        working.cancel()


def secret_in(request: Request) -> str | None:
    """The key of a request, by any of the ways that the vendors' clients send one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in ("x-api-key", "api-key"):
        if value := request.headers.get(name, "").strip():
            return value
    return None


def error_body(errors: ErrorDialect, told: Answer) -> bytes:
    """An error in a dialect, as bytes."""
    return orjson.dumps(errors.error_from(told.status, told.code, told.words))
