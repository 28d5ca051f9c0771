"""A provider's stream on its way to a client."""

from __future__ import annotations

from lib.domain.llm.exchange import Streaming
from lib.domain.llm.usage import Usage, usage_from
from lib.domain.llm.wire import EVENT_LIMIT_BYTES, Event, Json
from lib.errors import Unavailable

_TOKENS = ("content", "reasoning_content", "tool_calls")


class Relay:
    """Reads a stream and has what is to be sent on, also when it breaks in the middle.

    Attributes:
        has_token: whether the model has said, thought or called something.
    """

    def __init__(self, streaming: Streaming) -> None:
        self._reader = streaming.reader
        self._decoder = streaming.decoder
        self._encoder = streaming.encoder
        self._told = bytearray()
        self.has_token = False
        self._tokens = 0
        self._usage: Usage | None = None

    def feed(self, piece: bytes) -> None:
        """Read a provider's bytes.

        Raises:
            PotokError: there is an error or garbage among them.
        """
        for event in self._reader.feed(piece):
            self._read(event)
        if not self.has_token and len(self._told) > EVENT_LIMIT_BYTES:
            raise Unavailable("the provider sends much, and no token")

    def end(self) -> None:
        """The provider has no more.

        Raises:
            PotokError: it broke off before its own end.
        """
        for event in self._reader.rest():
            self._read(event)
        self._tell(self._decoder.end())
        if self._encoder is not None:
            self._told += self._encoder.end()

    def taken(self) -> bytes:
        """The client's bytes that were not taken yet."""
        told = bytes(self._told)
        self._told.clear()
        return told

    def used(self, asked_bytes: int) -> Usage:
        """What the stream said that it used, or about that much when it ended before it said so.

        Args:
            asked_bytes: size of the question: four are about a token.
        """
        return self._usage or Usage(prompt=asked_bytes // 4, completion=self._tokens)

    def _read(self, event: Event) -> None:
        self._tell(self._decoder.feed(event))
        if self._encoder is None:
            self._told += event.raw

    def _tell(self, chunks: list[Json]) -> None:
        for chunk in chunks:
            if usage := chunk.get("usage"):
                self._usage = usage_from(usage)
            if _has_token(chunk):
                self.has_token = True
                self._tokens += 1
            if self._encoder is not None:
                self._told += self._encoder.feed(chunk)


def _has_token(chunk: Json) -> bool:
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        if choice.get("finish_reason") or choice.get("text") or any(map(delta.get, _TOKENS)):
            return True
    return False
