"""Recordings for tests that only have to look like some."""

from __future__ import annotations

import io
import wave
from pathlib import Path

from tests.speech.conftest import DATA

CLIP = DATA / "ru_0039.ogg"


def wav(seconds: float = 1.0) -> bytes:
    """Silence of this length, 8 kHz."""
    into = io.BytesIO()
    with wave.open(into, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(b"\0\0" * round(8_000 * seconds))
    return into.getvalue()


def large(path: Path, mb: int) -> Path:
    """A file that begins as a recording does and has more bytes than this; few are on the disk."""
    with path.open("wb") as file:
        file.write(b"OggS\0\2")
        file.truncate(mb * (1 << 20) + 1)
    return path
