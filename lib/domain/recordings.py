"""Recordings that are to be heard: where they are, and when each is looked at again."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lib.domain.inbound import InboundMessage, Media

State = Literal["waiting", "submitted", "done", "failed"]

LIMIT_BYTES = 1_000_000_000  # of a recording, wherever it comes from
POLL_EVERY = timedelta(minutes=1)  # a job whose callback does not come
FILES_AT_ONCE = 3  # with the service, which does four jobs at once: a customer's message is next
GIVEN_UP_AFTER = timedelta(days=2)  # longer than the service repeats its callback
_PAUSES = tuple(timedelta(seconds=s) for s in (15, 60, 300, 900, 3600))


class Place(BaseModel):
    """Where a recording is: a file of a bot's chat, an address, or a file of the watched folder.

    Attributes:
        bot: whose file ``file_id`` is.
        sha256: what the content at ``url`` must have; None: whatever is there.
        path: below the watched folder.
        size_bytes: of the file at ``path`` when it was found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot: str | None = None
    file_id: str | None = None
    url: str | None = None
    sha256: str | None = None
    path: str | None = None
    size_bytes: int | None = None


def place_of(message: InboundMessage, media: Media) -> Place:
    """Where a recording of a message is."""
    if message.source == "telegram":
        return Place(bot=message.account, file_id=media.file_id)
    return Place(url=media.url, sha256=media.sha256)


def ref_of(message: InboundMessage, media: Media) -> str:
    """Our reference of a recording, the same for all edits of its message."""
    named = media.file_unique_id or media.sha256 or media.file_id
    if named is None or len(named) > 64:  # an address may hold a secret, and this is shown
        named = _digest(named or media.url or "")
    return f"{message.ref}:{named}"


def file_ref(path: str, size_bytes: int, mtime_ns: int) -> str:
    """Our reference of a file in the watched folder: a file that changed is another recording."""
    named = path if len(path) <= 500 else _digest(path)  # PostgreSQL indexes no more than 2.7 KB
    return f"file:{named}:{size_bytes}:{mtime_ns}"


def next_look(tries: int) -> timedelta:
    """The pause after so many tries to submit that failed: 15 s, 1, 5, 15 min, then 1 h."""
    return _PAUSES[min(max(tries, 1), len(_PAUSES)) - 1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
