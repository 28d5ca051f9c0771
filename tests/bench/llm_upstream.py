"""A provider that answers at once: ``python -m tests.bench.llm_upstream PORT``.

It reads a request only as far as it must: what it costs is not to be measured.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import orjson
import uvloop

CHUNKS = 100
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n"


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"id": "b", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + orjson.dumps(body | {"choices": [choice]}) + b"\n\n"


USAGE = {"prompt_tokens": 10, "completion_tokens": CHUNKS, "total_tokens": 10 + CHUNKS}
_MESSAGE = {"role": "assistant", "content": "pong"}
_WHOLE = orjson.dumps(
    {
        "id": "b",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": USAGE,
    }
)
ANSWER = _HEAD % (b"application/json", b"content-length: %d\r\n" % len(_WHOLE)) + _WHOLE
STREAM_HEAD = _HEAD % (b"text/event-stream", b"transfer-encoding: chunked\r\n")
_LAST = {"id": "b", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
STREAM = [
    _chunk({"role": "assistant", "content": ""}),
    *(_chunk({"content": f"w{number} "}) for number in range(CHUNKS)),
    _chunk({}, "stop"),
    b"data: " + orjson.dumps(_LAST | {"usage": USAGE}) + b"\n\n",
    b"data: [DONE]\n\n",
]


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._read = b""
        self._streaming: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._read) < end + 4 + length:
                return
            body = self._read[end + 4 : end + 4 + length]
            self._read = self._read[end + 4 + length :]
            if b'"stream":true' in body:
                task = asyncio.get_running_loop().create_task(self._stream())
                self._streaming.add(task)
                task.add_done_callback(self._streaming.discard)
            else:
                self._transport.write(ANSWER)

    async def _stream(self) -> None:
        self._transport.write(STREAM_HEAD)
        for event in STREAM:
            self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(0)
        self._transport.write(b"0\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
