"""A watched folder: recordings that lie in it, and notes beside them."""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from lib.domain.recordings import Place, file_ref
from lib.domain.transcript_files import is_recording, markdown_from, notes_of, properties_of
from lib.domain.transcripts import Transcript, srt_from
from lib.errors import Rejected, Unavailable

log = logging.getLogger(__name__)

STILL_S = 10.0  # a file that changed later may still be on its way
NAME_BYTES = 255  # of a name in a folder, on every file system in use
_HEAD_BYTES = 2_000


class Folder:
    """A folder.

    Args:
        root: where it is.

    Raises:
        Unavailable: there is none, or a disk is not there.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise Unavailable(f"the watched folder is not there: {root.name}: see SPEECH_FOLDER")
        self._root = root

    def recordings(self) -> dict[str, Place]:
        """What is to be heard, by reference: at rest, and without a note that says it was."""
        found = {}
        for path, seen in self._files():
            relative = path.relative_to(self._root)
            if not seen.st_size or time.time() - seen.st_mtime < STILL_S:
                continue
            place = Place(path=relative.as_posix(), size_bytes=seen.st_size)
            if not any(_is_note_of(place, self._root / f"{name}.md") for name in _near(relative)):
                found[file_ref(relative.as_posix(), seen.st_size, seen.st_mtime_ns)] = place
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

        Raises:
            Rejected: no name is left for it.
            Unavailable: the folder cannot be written.
        """
        path = Path(str(place.path))
        name = next((name for name in notes_of(path) if self._is_free(place, Path(name))), None)
        if name is None:
            raise Rejected("every name for a note beside the file is taken, or too long")
        size = place.size_bytes or 0
        note = markdown_from(transcript, path.name, size, heard_at)
        try:
            _write(self._root / f"{name}.srt", srt_from(transcript.segments))
            _write(self._root / f"{name}.md", note)
        except OSError as exc:
            raise Unavailable(f"no note can be written beside the file ({exc.strerror})") from exc
        return Path(f"{name}.md")

    def _is_free(self, place: Place, name: Path) -> bool:
        note, titles = self._root / f"{name}.md", self._root / f"{name}.srt"
        if len(os.fsencode(titles.name)) > NAME_BYTES:
            return False
        return _is_note_of(place, note) or not (os.path.lexists(note) or os.path.lexists(titles))

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self._root):  # links are not followed
            for name in sorted(names):
                path = Path(folder, name)
                if not is_recording(path.relative_to(self._root)):
                    continue
                if not _is_text(path):
                    log.warning("folder.no_name file=%s: it is not UTF-8", ascii(name))
                    continue
                try:
                    seen = path.lstat()
                except OSError:  # it is gone meanwhile
                    continue
                if stat.S_ISREG(seen.st_mode):
                    yield path, seen


def _near(path: Path) -> Iterator[Path]:
    """The names that a note may have when nobody has many of them."""
    names = notes_of(path)
    return (Path(name) for name, _ in zip(names, range(3), strict=False))


def _is_note_of(place: Place, note: Path) -> bool:
    """Whether a note says that it is what this recording says."""
    try:
        if not note.is_file():  # a pipe would be waited for
            return False
        with note.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    wanted = properties_of(Path(str(place.path)).name, place.size_bytes or 0)
    return all(re.search(f"^{re.escape(line)}$", head, re.MULTILINE) for line in wanted)


def _is_text(path: Path) -> bool:
    """Whether a name can be written down."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _write(path: Path, text: str) -> None:
    """All or nothing: whoever reads the folder sees no half of it."""
    part = path.with_name(f".{uuid4().hex}.part")  # two runs may write at once
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
