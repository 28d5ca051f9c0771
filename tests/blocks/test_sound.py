"""Recordings that are fetched, and what is left of them when a process is killed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from blocks._sound import LEFT_AFTER_S, PREFIX, forget_left


def test_what_a_killed_process_has_left_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / "theirs"
    for folder in (theirs, tmp_path / f"{PREFIX}old", tmp_path / f"{PREFIX}new"):
        folder.mkdir()
        (folder / "recording").write_bytes(b"sound")
    (tmp_path / f"{PREFIX}link").symlink_to(theirs)
    long_ago = (tmp_path / f"{PREFIX}new").stat().st_mtime - LEFT_AFTER_S - 1
    for name in ("theirs", f"{PREFIX}old", f"{PREFIX}link"):
        os.utime(tmp_path / name, (long_ago, long_ago), follow_symlinks=False)
    forget_left()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"theirs", f"{PREFIX}new", f"{PREFIX}link"}
    assert (theirs / "recording").exists()
