"""``potok speech transcribe`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.speech.conftest import DATA, SAID
from tests.speech.errors import character_errors
from tests.stack.conftest import Potok

CLIP = DATA / "ru_0039.ogg"


async def test_a_file_becomes_text(potok: Potok, tmp_path: Path) -> None:
    words = ("speech", "transcribe", str(CLIP), "--format", "verbose_json", "--words")
    code, said, wrong = await potok(*words, POTOK_HOME=str(tmp_path))
    assert (code, wrong) == (0, "")
    heard = json.loads(said)
    assert character_errors(SAID[CLIP.name], heard["text"]) < 0.05
    assert heard["words"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((str(CLIP), "--format", "doc"), "--format is one of json, text, srt, vtt, verbose_json"),
        (("/none.ogg",), "there is no file /none.ogg"),
        ((__file__,), "the file is no sound that can be read"),
        ((str(CLIP), "--model", "/none"), "it must hold a Whisper model"),
        ((str(CLIP), "--language", "xx"), "knows no language 'xx'"),
    ],
)
async def test_what_cannot_be_heard(
    potok: Potok, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    code, _, wrong = await potok("speech", "transcribe", *words, POTOK_HOME=str(tmp_path))
    assert code == 1
    assert told in wrong
