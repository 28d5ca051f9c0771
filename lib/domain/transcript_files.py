"""Recordings in a watched folder, and what is written beside them.

Source: help.obsidian.md (properties at the head of a note), read 2026-11-26.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import PurePath

from lib.domain.transcripts import Segment, Transcript

_SOUND = ("aac", "aiff", "amr", "flac", "m4a", "mka", "mp3", "oga", "ogg", "opus", "wav", "wma")
_FILMS = ("mkv", "mov", "mp4", "webm")
PAUSE_S = 2.0  # a longer one begins a paragraph
PARAGRAPH_S = 60.0
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~$])")


def is_recording(path: PurePath) -> bool:
    """Whether a file of a watched folder is one to be heard; hidden ones are not."""
    is_hidden = any(part.startswith((".", "~")) for part in path.parts)
    return path.suffix.lower().removeprefix(".") in _SOUND + _FILMS and not is_hidden


def notes_of(path: PurePath) -> Iterator[PurePath]:
    """Names for what is written beside a recording, without suffix, the best first.

    ``meeting.ogg`` has ``meeting``; where that is another's, ``meeting.ogg``, and then numbers.
    """
    yield path.with_suffix("")
    yield path
    for number in range(2, 100):
        yield path.with_name(f"{path.name} {number}")


def properties_of(name: str, size_bytes: int) -> list[str]:
    """The properties by which a note is known as that of a recording."""
    return [f"recording: {json.dumps(name, ensure_ascii=False)}", f"bytes: {size_bytes}"]


def markdown_from(transcript: Transcript, name: str, size_bytes: int, heard_at: datetime) -> str:
    """A transcript as a note: properties, then paragraphs with the time at which they begin.

    Args:
        transcript: what was said.
        name: of the recording.
        size_bytes: of the recording.
        heard_at: when, aware UTC.
    """
    head = [
        *properties_of(name, size_bytes),
        f"language: {json.dumps(transcript.language)}",
        f'duration: "{_clock(transcript.duration_s)}"',
        f"model: {json.dumps(transcript.model, ensure_ascii=False)}",
        f"heard_at: {heard_at.isoformat(timespec='seconds')}",
    ]
    said = [_paragraph(segments) for segments in paragraphs(transcript.segments)]
    body = "\n\n".join(said) or "*(тишина)*"
    return "\n".join(["---", *head, "---", "", body, ""])


def paragraphs(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Segments in paragraphs: another speaker, a pause or a minute begins a new one."""
    found: list[list[Segment]] = []
    for segment in segments:
        if not segment.text.strip():
            continue
        goes_on = found and (
            found[-1][-1].speaker == segment.speaker
            and segment.start_s - found[-1][-1].end_s < PAUSE_S
            and segment.end_s - found[-1][0].start_s <= PARAGRAPH_S
        )
        if goes_on:
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def _paragraph(segments: list[Segment]) -> str:
    text = " ".join(" ".join(segment.text.split()) for segment in segments)
    speaker = f" {segments[0].speaker}:" if segments[0].speaker else ""
    return f"**{_clock(segments[0].start_s)}**{speaker} {_plain(text)}"


def _plain(text: str) -> str:
    """Words that a reader of Markdown shows as they are."""
    return _MARKUP.sub(r"\\\1", text)


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
