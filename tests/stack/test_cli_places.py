"""Homes that cannot be used, and outputs that take nothing."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from deployments.cli.doctor import BROKEN, OK, UNKNOWN, examine
from deployments.cli.home import trouble_with
from deployments.cli.running import find_running
from deployments.cli.show import print_quote
from deployments.sandbox.app import create_app
from deployments.settings import Settings, read_settings
from deployments.stack import pidfiles
from tests.sandbox_server import running
from tests.stack.conftest import Potok, run_potok


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.fixture
def read_only() -> Path:
    """A directory where not even root may write."""
    return Path("/proc")


@pytest.mark.parametrize("words", ["up", "up --detach", "demo --once"])
async def test_a_home_that_cannot_be_used_is_one_line(
    potok: Potok, a_file: Path, read_only: Path, words: str
) -> None:
    for home in (a_file, a_file / "below", read_only / "potok"):
        code, said, wrong = await potok(*words.split(), POTOK_HOME=str(home))
        assert (code, said) == (1, "")
        assert wrong.startswith(f"POTOK_HOME {home} cannot be ")
        assert wrong.count("\n") == 1


async def test_the_doctor_says_that_a_home_cannot_be_used(a_file: Path, read_only: Path) -> None:
    for home in (a_file, read_only):
        findings = await examine(read_settings(POTOK_HOME=home))
        assert findings[0].state == BROKEN
        assert f"POTOK_HOME {home} cannot be " in findings[0].words


async def test_the_doctor_looks_at_what_a_killed_stack_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POTOK_HOME", str(tmp_path))
    run_dir = pidfiles.run_dir(tmp_path)
    run_dir.mkdir()
    own = pidfiles.this_process("sandbox", "", ready_at=1.0)
    dead = replace(own, name=pidfiles.STACK, created_at=own.created_at - 60)
    async with running(create_app()) as url:
        left = replace(own, port=int(url.rpartition(":")[2]))
        for entry in (dead, left):
            pidfiles.write(run_dir, entry)
        found = {each.name: each for each in await examine(find_running().settings)}
    assert found["stack"].state == BROKEN
    assert "left sandbox: `potok down` stops them" in found["stack"].words
    assert (found["sandbox"].state, found["gateway"].state) == (OK, BROKEN)
    assert found["database"].state == BROKEN


def test_a_home_that_is_not_there_yet_is_not_made_by_looking(tmp_path: Path) -> None:
    assert trouble_with(tmp_path / "not" / "yet") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["status", "doctor"])
async def test_an_output_that_is_full_is_one_line(tmp_path: Path, words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, wrong = await run_potok(tmp_path, words, stdout=full)
    assert (code, wrong) == (1, "the output cannot be written: No space left on device\n")


async def test_letters_that_the_output_lacks_are_replaced(tmp_path: Path) -> None:
    code, said, wrong = await run_potok(tmp_path, "down", PYTHONIOENCODING="ascii")
    assert (code, said, wrong) == (0, "stopping ?\nnothing was running\n", "")


async def test_a_key_of_bytes_that_are_no_text_is_one_line(tmp_path: Path, database: str) -> None:
    words = ("inbox", "show", os.fsdecode(b"\xff\xfe"))
    code, said, wrong = await run_potok(tmp_path, *words, DATABASE_URL=database)
    assert (code, said) == (1, "")
    assert wrong == "no delivery has the key or number \ufffd\ufffd\n"


async def test_a_variable_that_nobody_reads_is_told_by_doctor_and_up(
    potok: Potok, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("POTOK_PROT=1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", env_file)
    line = "POTOK_PROT in .env is read by nobody: is POTOK_PORT meant?"
    found = {each.name: each for each in await examine(read_settings(POTOK_HOME=tmp_path))}
    assert (found["settings"].state, found["settings"].words) == (UNKNOWN, line)
    code, _, wrong = await potok("up", POTOK_HOME=str(env_file))
    assert (code, wrong.splitlines()[0]) == (1, line)


def test_a_quote_is_indented_and_ends_where_its_words_end() -> None:
    console = Console(file=io.StringIO(), width=24)
    print_quote(console, "Нужен кредит [bold] на закупку, 5 млн")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "  Нужен кредит [bold]\n  на закупку, 5 млн\n"


async def test_the_version_is_the_packages_and_the_commit(potok: Potok) -> None:
    code, said, wrong = await potok("--version")
    assert (code, wrong) == (0, "")
    assert said.startswith("potok 0.1.0 (")
