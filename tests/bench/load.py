"""A load client that costs next to nothing: HTTP/1.1 over kept connections, bytes made ahead.

httpx takes 2–6 ms of CPU for a request, on the cores that are being measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

HOST = "127.0.0.1"
TIMEOUT_S = 30.0
TELEGRAM_CONNECTIONS = 40  # Telegram's default max_connections of a webhook


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request was answered.

    Attributes:
        status: of HTTP; 0: no answer.
        sent_at: unix seconds.
        took_ms: from the first byte sent to the last one read.
    """

    status: int
    sent_at: float
    took_ms: float


class Client:
    """Connections to one port of the loopback, as many as there are requests at once."""

    def __init__(self, port: int, within_s: float = TIMEOUT_S) -> None:
        self._port = port
        self._within_s = within_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop()[1].close()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request; the status and the body of the answer.

        Raises:
            OSError: no connection, or it broke.
            TimeoutError: no answer in time.
        """
        async with asyncio.timeout(self._within_s):
            if self._idle:
                reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection(HOST, self._port, limit=2**20)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
            except BaseException as exc:
                writer.close()
                if isinstance(exc, asyncio.IncompleteReadError):
                    raise ConnectionResetError("the connection was closed") from exc
                raise
        self._idle.append((reader, writer))
        return int(head[9:12]), body

    async def send(self, request: bytes) -> Answer:
        """Send a request and time it; a missing answer is an answer with status 0."""
        sent_at, began = time.time(), time.perf_counter()
        try:
            status, _ = await self.ask(request)
        except (OSError, TimeoutError):
            status = 0
        return Answer(status, sent_at, (time.perf_counter() - began) * 1000)

    async def at_rate(self, requests: Sequence[bytes], per_s: float) -> list[Answer]:
        """Send requests at a steady rate, whether or not those before were answered."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        sending: list[asyncio.Task[Answer]] = []
        for number, request in enumerate(requests):
            await asyncio.sleep(max(0.0, began + number / per_s - loop.time()))
            sending.append(asyncio.create_task(self.send(request)))
        return list(await asyncio.gather(*sending))

    async def at_once(
        self, requests: Sequence[bytes], connections: int = TELEGRAM_CONNECTIONS
    ) -> list[Answer]:
        """Send requests as fast as so many connections take them, one after the other on each."""
        left = iter(requests)
        answers: list[Answer] = []

        async def one() -> None:
            for request in left:
                answers.append(await self.send(request))

        await asyncio.gather(*(one() for _ in range(connections)))
        return answers


def request_from(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole HTTP/1.1 request with a JSON body."""
    given = {
        "host": HOST,
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def ask_json(
    port: int, method: str, path: str, body: object = None, *, fine: Sequence[int] = ()
) -> Any:
    """Ask an API of the stack for JSON.

    Args:
        port: of the loopback.
        method: of HTTP.
        path: with the leading slash.
        body: sent as JSON.
        fine: statuses beside 2xx that are no error.

    Raises:
        RuntimeError: another status; the answer's beginning is in the message.
    """
    client = Client(port)
    content = b"" if body is None else orjson.dumps(body)
    status, answer = await client.ask(request_from(method, path, content, {"connection": "close"}))
    await client.close()
    if status // 100 != 2 and status not in fine:
        raise RuntimeError(f"{method} {path}: {status} {answer[:300].decode(errors='replace')}")
    return orjson.loads(answer) if answer else None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
