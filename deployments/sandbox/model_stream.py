"""How the stand-ins for models send an answer: in pieces, as long as anybody listens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from deployments.sandbox.failures import Failure

SSE = "text/event-stream"
JSON = "application/json"
MIDSTREAM = ("error_midstream", "garbage_midstream", "cut", "hang_midstream")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with status 200, before anything spoils it.

    Attributes:
        pieces: at least one.
        media: its type.
        is_stream: the caller asked for the pieces; else they are parts of one document.
    """

    pieces: list[bytes]
    media: str = JSON
    is_stream: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spoiling:
    """What goes wrong while an answer is sent.

    Attributes:
        failure: None: nothing.
        error: the vendor's error in the middle of a stream.
        garbage: what looks like a piece of the stream and is no JSON.
    """

    failure: Failure | None
    error: bytes
    garbage: bytes

    @property
    def kind(self) -> str:
        """Of the failure."""
        return self.failure.kind if self.failure else ""

    @property
    def delay_s(self) -> float:
        """Of the failure."""
        return self.failure.delay_s if self.failure else 0

    def at(self, pieces: int) -> int:
        """The number of the piece that it strikes; -1 for none."""
        if self.failure is None or self.kind not in (*MIDSTREAM, "error_in_200"):
            return -1
        return min(self.failure.after_chunks if self.kind in MIDSTREAM else 0, pieces - 1)


def document(body: Any) -> Reply:
    """A JSON answer, in two pieces: so it can break in the middle."""
    written = orjson.dumps(body)
    half = len(written) // 2
    return Reply([written[:half], written[half:]])


def event(payload: Any, name: str = "") -> bytes:
    """A server-sent event; a text goes out as it is."""
    data = payload.encode() if isinstance(payload, str) else orjson.dumps(payload)
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


class _Cut(Exception):
    """The connection is to break here."""


class Telling(StreamingResponse):
    """An answer under way.

    Args:
        reply: what is told.
        spoiling: what goes wrong with it.
        turn: held as long as it takes.
        counts: ``answered`` or ``cancelled``, when the caller left before the end.
    """

    def __init__(
        self,
        reply: Reply,
        spoiling: Spoiling,
        turn: AbstractAsyncContextManager[None],
        counts: Counter[str],
    ) -> None:
        pieces = _spoiled(reply.pieces, spoiling)
        super().__init__(pieces, headers=reply.headers, media_type=reply.media)
        self._spoiling, self._turn, self._counts = spoiling, turn, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell it until the caller leaves."""
        telling = asyncio.ensure_future(self._tell(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self._counts["answered" if telling.done() else "cancelled"] += 1
            if telling.done():
                telling.result()
        finally:
            telling.cancel()
            leaving.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        async with self._turn:
            if self._spoiling.kind == "hang":
                await asyncio.Event().wait()
            if self._spoiling.kind == "slow":
                await asyncio.sleep(self._spoiling.delay_s)
            try:
                await self.stream_response(send)
            except _Cut:
                return  # without the end that the server waits for: it closes the connection


async def _spoiled(pieces: list[bytes], spoiling: Spoiling) -> AsyncIterator[bytes]:
    kind, at = spoiling.kind, spoiling.at(len(pieces))
    if kind == "slow_first_token":
        await asyncio.sleep(spoiling.delay_s)
    for number, piece in enumerate(pieces):
        if number == at:
            if kind == "cut":
                raise _Cut
            if kind == "hang_midstream":
                await asyncio.Event().wait()
            yield spoiling.garbage if kind == "garbage_midstream" else spoiling.error
            if kind != "garbage_midstream":
                return
        yield piece
        await asyncio.sleep(0)  # else nobody sees the caller leave


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
