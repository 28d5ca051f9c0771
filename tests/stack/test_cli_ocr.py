"""``potok ocr read`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.stack.conftest import Potok
from tests.support import free_port
from tests.vision.pages import bytes_of, drawn

SAID = "Счёт № 1234 от 15.03.2026\nПродавец: ИНН 7707083893"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "invoice.png"
    path.write_bytes(bytes_of(drawn(SAID)))
    return path


async def test_a_file_becomes_markdown(potok: Potok, picture: Path) -> None:
    code, said, wrong = await potok("ocr", "read", str(picture))
    assert (code, wrong) == (0, "")
    assert said.replace("  \n", "\n") == f"{SAID}\n"


async def test_a_file_becomes_json_and_an_absent_server_is_told(
    potok: Potok, picture: Path
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    words = ("ocr", "read", str(picture), "--format", "json")
    code, said, wrong = await potok(*words, PADDLE_URL=address)
    assert code == 0
    assert "without paddle: paddle /ocr: not reached" in wrong
    (page,) = json.loads(said)["pages"]
    assert [(each["kind"], each["value"]) for each in page["found"]] == [
        ("date", "2026-03-15"),
        ("inn", "7707083893"),
    ]
    assert page["found"][1]["is_proven"]
    assert page["found"][1]["box"]["top"] > page["found"][0]["box"]["top"]


async def test_a_file_becomes_fields(potok: Potok, picture: Path) -> None:
    code, said, _ = await potok("ocr", "read", str(picture), "--format", "fields")
    assert code == 0
    fields = json.loads(said)["fields"]
    assert fields["kind"] == "invoice"
    assert fields["number"]["value"] == "1234"
    assert fields["date"]["value"] == "2026-03-15"
    assert fields["seller"]["inn"]["value"] == "7707083893"
    assert fields["seller"]["inn"]["is_proven"]
    assert fields["total"] is None
    box = fields["seller"]["inn"]["box"]
    assert box["top"] > fields["number"]["box"]["top"]
    assert box["left"] > fields["date"]["box"]["left"] / 2


async def test_a_blank_page_is_told(potok: Potok, tmp_path: Path) -> None:
    (tmp_path / "blank.png").write_bytes(bytes_of(Image.new("RGB", (300, 200), "white")))
    code, said, wrong = await potok("ocr", "read", str(tmp_path / "blank.png"))
    assert (code, said, wrong) == (0, "", "nothing is written on it\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((__file__, "--format", "doc"), "--format is one of md, json, fields"),
        (("/none.png",), "there is no file /none.png"),
        ((__file__,), "the file is no picture and no PDF that can be read"),
    ],
)
async def test_what_cannot_be_read(potok: Potok, words: tuple[str, ...], told: str) -> None:
    code, _, wrong = await potok("ocr", "read", *words)
    assert code == 1
    assert told in wrong
