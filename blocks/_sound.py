"""A recording as a file: fetched from where it is, and gone when the block ends."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from blocks._load import load
from blocks.speech import SpeechService
from blocks.telegram import TelegramBot
from lib.clients.outside import Outside
from lib.domain.recordings import LIMIT_BYTES, Place
from lib.errors import Rejected, Unavailable
from lib.speech.folder import Folder

PREFIX = "potok-recording-"
LEFT_AFTER_S = 3600.0  # longer than a run may take


def forget_left() -> None:
    """Delete recordings that processes which were killed have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            is_left = time.time() - left.lstat().st_mtime > LEFT_AFTER_S
        except OSError:  # another was quicker
            continue
        if is_left:
            shutil.rmtree(left, ignore_errors=True)


@asynccontextmanager
async def sound_of(service: SpeechService, place: Place) -> AsyncIterator[Path]:
    """A recording as a file, for as long as the block lasts."""
    try:
        async with _fetched(service, place) as sound:
            yield sound
    except OSError as exc:  # a full disk, a file that nobody may read
        why = exc.strerror or type(exc).__name__
        raise Unavailable(f"the recording cannot be read or kept ({why})") from exc


@asynccontextmanager
async def _fetched(service: SpeechService, place: Place) -> AsyncIterator[Path]:
    if place.path is not None:
        yield Folder(Path(str(service.folder))).sound(place)
        return
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        path = Path(folder) / "recording"
        if place.file_id is not None:
            bot = await load(TelegramBot, str(place.bot))
            async with bot.open() as telegram:
                path.write_bytes(await telegram.fetch_file(place.file_id))
        else:
            async with Outside(frozenset(service.allowed_hosts)) as outside:
                await outside.fetch(str(place.url), path, LIMIT_BYTES)
            await asyncio.to_thread(_check_digest, path, place.sha256)
        yield path


def _check_digest(path: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise Rejected("what is at the address has another sha256 than the message says")
