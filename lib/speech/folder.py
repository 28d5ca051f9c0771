"""A watched folder: recordings that lie in it, and notes beside them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from lib.domain.recordings import Place
from lib.domain.transcript_files import is_recording, markdown_from, notes_of, properties_of
from lib.domain.transcripts import Transcript, srt_from
from lib.errors import Rejected

STILL_S = 10.0  # a file that changed later may still be on its way
_HEAD_BYTES = 2_000


class Folder:
    """A folder.

    Args:
        root: where it is.

    Raises:
        Rejected: there is none.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise Rejected(f"the watched folder is not there: {root.name}: see SPEECH_FOLDER")
        self._root = root

    def recordings(self) -> dict[str, Place]:
        """What is to be heard, by reference: at rest, and without a note that says it was."""
        found = {}
        for path in self._files():
            stat, relative = path.stat(), path.relative_to(self._root)
            if not stat.st_size or time.time() - stat.st_mtime < STILL_S:
                continue
            place = Place(path=relative.as_posix(), size_bytes=stat.st_size)
            if not any(_is_note_of(place, self._root / f"{name}.md") for name in _near(relative)):
                found[f"file:{place.path}:{stat.st_size}:{stat.st_mtime_ns}"] = place
        return found

    def sound(self, place: Place) -> Path:
        """The file of a recording.

        Raises:
            Rejected: it is not there any more, or another is.
        """
        path = self._root / str(place.path)
        if path.is_symlink() or not path.is_file() or path.stat().st_size != place.size_bytes:
            raise Rejected("the file has changed or is gone since it was found")
        return path

    def write(self, place: Place, transcript: Transcript, heard_at: datetime) -> Path:
        """Write what a recording says as Markdown and subtitles beside it, over no foreign file.

        Returns:
            The Markdown, below the folder.
        """
        path = Path(str(place.path))
        name = next(name for name in notes_of(path) if self._is_free(place, Path(name)))
        size = place.size_bytes or 0
        note = markdown_from(transcript, path.name, size, heard_at)
        _write(self._root / f"{name}.srt", srt_from(transcript.segments))
        _write(self._root / f"{name}.md", note)
        return Path(f"{name}.md")

    def _is_free(self, place: Place, name: Path) -> bool:
        note, titles = self._root / f"{name}.md", self._root / f"{name}.srt"
        return _is_note_of(place, note) or not (note.exists() or titles.exists())

    def _files(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self._root):  # links are not followed
            for name in sorted(names):
                path = Path(folder, name)
                if is_recording(path.relative_to(self._root)) and not path.is_symlink():
                    yield path


def _near(path: Path) -> Iterator[Path]:
    """The names that a note may have when nobody has many of them."""
    names = notes_of(path)
    return (Path(name) for name, _ in zip(names, range(3), strict=False))


def _is_note_of(place: Place, note: Path) -> bool:
    """Whether a note says that it is what this recording says."""
    try:
        with note.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    wanted = properties_of(Path(str(place.path)).name, place.size_bytes or 0)
    return all(re.search(f"^{re.escape(line)}$", head, re.MULTILINE) for line in wanted)


def _write(path: Path, text: str) -> None:
    """All or nothing: whoever reads the folder sees no half of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
