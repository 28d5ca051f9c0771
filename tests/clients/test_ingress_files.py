"""The files that Traefik reads: each is whole at any moment, or what it was."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.clients.ingress_files import DYNAMIC, STATIC, TOLD, IngressFiles
from lib.errors import Rejected, Unavailable


@pytest.fixture
def files(tmp_path: Path) -> IngressFiles:
    return IngressFiles(str(tmp_path))


def test_only_what_differs_is_written(files: IngressFiles, tmp_path: Path) -> None:
    assert files.write({STATIC: "a", DYNAMIC: "b"}) == [STATIC, DYNAMIC]
    before = (tmp_path / STATIC).stat()
    assert files.write({STATIC: "a", DYNAMIC: "c"}) == [DYNAMIC]
    assert (tmp_path / STATIC).stat().st_ino == before.st_ino
    assert (tmp_path / DYNAMIC).read_text() == "c"
    assert files.write({DYNAMIC: "d\r\n"}) == [DYNAMIC]
    assert files.write({DYNAMIC: "d\r\n"}) == []
    assert [path.name for path in (tmp_path / "dynamic").iterdir()] == ["potok.yaml"]


def test_who_reads_meanwhile_sees_a_whole_text(files: IngressFiles, tmp_path: Path) -> None:
    texts = ["a" * 200_000, "b" * 200_000]
    files.write({DYNAMIC: texts[0]})
    seen: set[str] = set()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.add((tmp_path / DYNAMIC).read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for index in range(20):
        files.write({DYNAMIC: texts[index % 2]})
    over.set()
    reader.join()
    assert seen <= set(texts)


def test_a_disk_that_refuses_is_unavailable(files: IngressFiles, tmp_path: Path) -> None:
    (tmp_path / "dynamic").write_text("a file where the directory should be")
    with pytest.raises(Unavailable, match="dynamic"):
        files.write({DYNAMIC: "a"})


def test_users_that_are_not_there_are_told_how_to_be(files: IngressFiles, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"users/office is missing: `htpasswd -nB"):
        files.users("office")
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "office").write_bytes(b"\xff")
    with pytest.raises(Rejected, match="is no text"):
        files.users("office")


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10)))
def test_what_was_told_is_remembered(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, str]
) -> None:
    files = IngressFiles(str(tmp_path_factory.mktemp("told")))
    assert files.told() == {}
    files.keep_told(told)
    assert files.told() == told


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null"])
def test_a_torn_memory_is_an_empty_one(files: IngressFiles, tmp_path: Path, text: str) -> None:
    (tmp_path / TOLD).write_text(text)
    assert files.told() == {}
