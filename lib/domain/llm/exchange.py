"""One question to one provider: what is sent, and how what comes back is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lib.domain.llm.dialects import Decoder, Encoder, Stamp
from lib.domain.llm.table import Candidate, Gives, Kind
from lib.domain.llm.usage import Usage
from lib.domain.llm.wire import Json, Reader


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that did not come as a stream, in the client's dialect."""

    body: bytes
    usage: Usage


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a stream is read and told on.

    Attributes:
        reader: cuts the provider's bytes into events.
        decoder: reads the events; what it gives shows the first token, the usage and errors.
        encoder: tells the client; None where both speak one dialect: the bytes go on as they come.
    """

    reader: Reader
    decoder: Decoder
    encoder: Encoder | None


@dataclass(frozen=True, slots=True)
class Form:
    """What is posted as multipart/form-data.

    Attributes:
        fields: a name may stand there several times.
        file: where the file of the field ``file`` lies; it is read as it is sent.
        filename: what the provider is told that it is called.
    """

    fields: tuple[tuple[str, str], ...]
    file: Path
    filename: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to one provider.

    Attributes:
        path: below the provider's base URL.
        payload: the JSON that is posted.
        whole: reads the answer of a question that does not stream; raises PotokError when it is
            an error after all.
        streaming: gives what reads a stream.
        headers: of the client that go on to a provider of its own dialect.
        form: what is posted instead of the payload.
    """

    path: str
    payload: bytes
    whole: Callable[[bytes], Whole]
    streaming: Callable[[], Streaming]
    headers: dict[str, str] = field(default_factory=dict)
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What came in.

    Attributes:
        body: its JSON object; ``raw`` as it came.
        headers: by lower-case name.
        query: of the URL, without the question mark.
    """

    body: Json
    raw: bytes
    headers: dict[str, str]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client wants, read and found good.

    Attributes:
        door: the path that it came by, without ``/v1``: ``chat``, ``messages``, ``embeddings`` ….
        name: the alias or model.
        stream: whether the answer comes in pieces.
        media_type: of the stream.
        exchange: the question to a provider of a kind; raises NotForThisModel where there is none.
        fail: the bytes that end a broken stream in the client's dialect.
        cache_key: the same for the same question whose answer may be kept; None: it may not.
        text: what the client wrote, for a key that keeps texts.
        estimate: the answer where no candidate is Anthropic's, which alone counts tokens; None:
            the question is none of those.
        gives: what is wanted.
    """

    door: str
    name: str
    stream: bool
    media_type: str
    exchange: Callable[[Kind, Candidate, Stamp], Exchange]
    fail: Callable[[int, str], bytes]
    cache_key: bytes | None
    text: Json
    estimate: bytes | None = None
    gives: Gives = "words"
