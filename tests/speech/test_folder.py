"""A watched folder on a real file system."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lib.domain.recordings import Place
from lib.domain.transcripts import Segment, Transcript
from lib.errors import Rejected, Unavailable
from lib.speech.folder import Folder

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
HEARD = Transcript(
    language="ru",
    language_probability=1,
    duration_s=3,
    segments=(Segment(start_s=0, end_s=3, text="Привет"),),
    model="base",
)


def recording(folder: Path, name: str, content: bytes = b"sound") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def names(folder: Path) -> list[str]:
    return sorted(str(place.path) for place in Folder(folder).recordings().values())


def test_it_finds_what_is_at_rest_and_was_not_heard(tmp_path: Path) -> None:
    recording(tmp_path, "a.ogg")
    recording(tmp_path, "ниже/б.mp3")
    recording(tmp_path, "empty.ogg", b"")
    recording(tmp_path, "note.txt")
    (tmp_path / "coming.ogg").write_bytes(b"half of it")
    (tmp_path / "link.ogg").symlink_to(tmp_path / "a.ogg")
    assert names(tmp_path) == ["a.ogg", "ниже/б.mp3"]
    (place,) = (p for p in Folder(tmp_path).recordings().values() if p.path == "a.ogg")
    assert Folder(tmp_path).write(place, HEARD, NOW) == Path("a.md")
    assert (tmp_path / "a.srt").read_text().startswith("1\n00:00:00,000 --> 00:00:03,000\nПривет")
    assert names(tmp_path) == ["ниже/б.mp3"]


def test_a_recording_that_moved_with_its_note_is_not_heard_again(tmp_path: Path) -> None:
    recording(tmp_path, "a.ogg")
    (place,) = Folder(tmp_path).recordings().values()
    Folder(tmp_path).write(place, HEARD, NOW)
    (tmp_path / "архив").mkdir()
    for name in ("a.ogg", "a.md", "a.srt"):
        (tmp_path / name).rename(tmp_path / "архив" / name)
    assert names(tmp_path) == []
    recording(tmp_path, "архив/a.ogg", b"another sound")
    assert names(tmp_path) == ["архив/a.ogg"], "another recording took its name"


@pytest.mark.parametrize("theirs", ["a.md", "a.srt"])
def test_it_writes_over_no_file_of_others(tmp_path: Path, theirs: str) -> None:
    recording(tmp_path, "a.ogg")
    (tmp_path / theirs).write_text("моё")
    (place,) = Folder(tmp_path).recordings().values()
    for _ in range(2):  # again: over its own
        assert Folder(tmp_path).write(place, HEARD, NOW) == Path("a.ogg.md")
    assert (tmp_path / theirs).read_text() == "моё"
    assert names(tmp_path) == []


def test_what_is_no_file_or_has_no_name_keeps_no_other_from_being_heard(tmp_path: Path) -> None:
    recording(tmp_path, "a.ogg")
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.ogg", os.O_CREAT))
    recording(tmp_path, os.fsdecode(b"\xfe.ogg"))
    os.mkfifo(tmp_path / "pipe.ogg")
    os.mkfifo(tmp_path / "a.md")
    (tmp_path / "folder.ogg").mkdir()
    (tmp_path / "round").symlink_to(tmp_path)
    assert names(tmp_path) == ["a.ogg"]


def test_a_long_path_has_a_short_reference(tmp_path: Path) -> None:
    recording(tmp_path, "/".join(["д" * 100] * 6) + "/a.ogg")
    ((ref, place),) = Folder(tmp_path).recordings().items()
    assert len(ref) < 200
    assert Folder(tmp_path).sound(place).exists()


@pytest.mark.parametrize("name", ["x" * 251 + ".ogg", "ы" * 125 + ".opus"])
def test_a_long_name_has_its_note(tmp_path: Path, name: str) -> None:
    recording(tmp_path, name)
    (place,) = Folder(tmp_path).recordings().values()
    assert Folder(tmp_path).write(place, HEARD, NOW) == Path(name).with_suffix(".md")
    assert names(tmp_path) == []
    (tmp_path / name).with_suffix(".md").write_text("моё")
    with pytest.raises(Rejected, match="too long"):
        Folder(tmp_path).write(place, HEARD, NOW)


def test_a_folder_that_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    place = Place(path="gone/a.ogg", size_bytes=5)
    with pytest.raises(Unavailable, match="No such file"):
        Folder(tmp_path).write(place, HEARD, NOW)


def test_it_writes_through_no_link_of_others(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("моё")
    watched = tmp_path / "watched"
    recording(watched, "a.ogg")
    for name in (".a.md.part", ".a.srt.part"):
        (watched / name).symlink_to(theirs)
    (watched / "a.srt").symlink_to(tmp_path / "nowhere")
    (place,) = Folder(watched).recordings().values()
    assert Folder(watched).write(place, HEARD, NOW) == Path("a.ogg.md")
    assert theirs.read_text() == "моё"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ['"кавычки" и: двоеточие.ogg', "-- ---.ogg", "a\nb.ogg"])
def test_any_name_is_known_again(tmp_path: Path, name: str) -> None:
    recording(tmp_path, name)
    (place,) = Folder(tmp_path).recordings().values()
    Folder(tmp_path).write(place, HEARD, NOW)
    assert names(tmp_path) == []


def test_a_file_that_changed_or_is_gone_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, "a.ogg")
    (place,) = Folder(tmp_path).recordings().values()
    assert Folder(tmp_path).sound(place) == path
    path.write_bytes(b"more of it now")
    for wrong in (place, Place(path="none.ogg", size_bytes=1), Place(path="../x.ogg")):
        with pytest.raises(Rejected):
            Folder(tmp_path).sound(wrong)
    with pytest.raises(Unavailable, match="SPEECH_FOLDER"):
        Folder(tmp_path / "none")
