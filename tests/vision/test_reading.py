"""Drawn pages through the real Tesseract, alone and beside PaddleX's stand-in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageOps

from lib.clients.paddle import Paddle
from lib.domain.documents.finds import found_on
from lib.domain.documents.markdown import markdown_from, page_markdown
from lib.domain.documents.pages import Page
from lib.domain.documents.scripts import has_cyrillic
from lib.errors import Rejected, Unavailable
from lib.vision.reader import Reader
from lib.vision.tesseract import Tesseract
from tests.support import free_port
from tests.vision import pages
from tests.vision.pages import ENGLISH, LEFT, RIGHT, RUSSIAN, TABLE, character_errors

Only = Callable[[Reader, bytes], Awaitable[Page]]

COLUMNS = " ".join([*LEFT, *RIGHT]).replace("перегово- ров", "переговоров")


@pytest.mark.parametrize(
    ("image", "said", "at_most"),
    [
        (pages.drawn(RUSSIAN), RUSSIAN, 0.02),
        (pages.drawn(ENGLISH), ENGLISH, 0.02),
        (pages.noisy(pages.drawn(RUSSIAN)), RUSSIAN, 0.04),
        (pages.drawn(RUSSIAN, size=15), RUSSIAN, 0.04),
        (pages.in_shadow(pages.drawn(RUSSIAN)), RUSSIAN, 0.04),
        (ImageOps.invert(pages.drawn(ENGLISH)), ENGLISH, 0.04),
        (pages.two_columns(), COLUMNS, 0.04),
        (pages.table(lined=True), TABLE, 0.05),
        (pages.table(lined=False), TABLE, 0.05),
    ],
    ids=[
        "russian",
        "english",
        "noisy",
        "low",
        "shadow",
        "dark",
        "columns",
        "table",
        "table without lines",
    ],
)
async def test_a_page_is_read(
    alone: Reader, only: Only, image: Image.Image, said: str, at_most: float
) -> None:
    page = await only(alone, pages.bytes_of(image))
    assert character_errors(said, page) <= at_most
    assert (page.turned_deg, page.skew_deg, page.engines) == (0, 0, ("tesseract",))
    for line in page.lines:
        assert 0 <= line.box.left < line.box.right <= page.width_px
        assert 0 <= line.box.top < line.box.bottom <= page.height_px


@pytest.mark.parametrize("turn_deg", [90, 180])
async def test_a_page_that_lies_wrong_is_turned(alone: Reader, only: Only, turn_deg: int) -> None:
    image = pages.drawn(RUSSIAN).rotate(turn_deg, expand=True)
    page = await only(alone, pages.bytes_of(image))
    assert page.turned_deg == turn_deg
    assert character_errors(RUSSIAN, page) <= 0.02


@pytest.mark.parametrize("skew_deg", [-3, 7])
async def test_a_page_that_lies_askew_is_made_level(
    alone: Reader, only: Only, skew_deg: int
) -> None:
    page = await only(alone, pages.bytes_of(pages.skewed(pages.drawn(RUSSIAN), skew_deg)))
    assert page.skew_deg == pytest.approx(skew_deg, abs=0.3)
    assert character_errors(RUSSIAN, page) <= 0.03


async def test_a_table_becomes_a_table(alone: Reader, only: Only) -> None:
    written = page_markdown(await only(alone, pages.bytes_of(pages.table(lined=False))))
    assert written.splitlines()[0] == "| № | Наименование | Кол-во | Цена | Сумма |"
    assert written.splitlines()[3] == "| 2 | Картридж для принтера | 2 | 4 200,00 | 8 400,00 |"


async def test_what_a_page_proves(alone: Reader, only: Only) -> None:
    page = await only(alone, pages.bytes_of(pages.drawn(RUSSIAN)))
    found = {(each.kind, each.value, each.is_proven) for each, _ in found_on(page.lines)}
    assert {
        ("inn", "7707083893", True),
        ("kpp", "773601001", False),
        ("bik", "044525225", False),
        ("amount", "12345.67", False),
        ("date", "2026-03-15", False),
    } <= found


async def test_a_blank_page_is_blank(alone: Reader, only: Only) -> None:
    page = await only(alone, pages.bytes_of(Image.new("RGB", (800, 600), "white")))
    assert (page.lines, page_markdown(page)) == ((), "")


async def test_both_engines_read(both: Reader, only: Only) -> None:
    page = await only(both, pages.bytes_of(pages.drawn(RUSSIAN)))
    assert page.engines == ("tesseract", "paddle")
    assert all(set(line.raw) == {"tesseract", "paddle"} for line in page.lines)
    assert character_errors(RUSSIAN, page) <= 0.02


async def test_an_engine_without_cyrillic_makes_nothing_worse(
    both: Reader, box: httpx.AsyncClient, only: Only
) -> None:
    await box.post("/control/paddle/alphabet", json={"alphabet": "latin"})
    page = await only(both, pages.bytes_of(pages.drawn(RUSSIAN)))
    assert page.engines == ("tesseract", "paddle")
    assert not any(has_cyrillic(line.raw.get("paddle", "")) for line in page.lines)
    assert character_errors(RUSSIAN, page) <= 0.02


async def test_paddle_may_be_down(box: httpx.AsyncClient, both: Reader, only: Only) -> None:
    await box.post("/control/paddle/failures", json={"kind": "status", "status": 500, "times": 1})
    page = await only(both, pages.bytes_of(pages.drawn("Счёт оплачен")))
    assert page.engines == ("tesseract",)
    assert page.missing == {"paddle": "paddle /ocr: HTTP 500: switched-on failure 500"}
    assert page_markdown(page) == "Счёт оплачен\n"


async def test_tesseract_may_be_missing(box: httpx.AsyncClient, only: Only) -> None:
    await box.post(
        "/control/paddle/sees", json={"lines": [{"text": "Счёт", "box": [60, 60, 150, 90]}]}
    )
    missing = Tesseract(program="no-such-tesseract")
    async with Reader(missing, Paddle(f"{box.base_url}/paddle")) as reader:
        page = await only(reader, pages.bytes_of(pages.drawn("Счёт")))
    assert page.engines == ("paddle",)
    assert "apt-get install tesseract-ocr tesseract-ocr-rus" in page.missing["tesseract"]
    assert page_markdown(page) == "Счёт\n"


async def test_a_page_needs_one_engine(only: Only) -> None:
    nobody = Paddle(f"http://127.0.0.1:{free_port()}")
    async with Reader(Tesseract(program="no-such-tesseract"), nobody) as reader:
        with pytest.raises(Unavailable, match=r"page 1: tesseract is not installed.*not reached"):
            await only(reader, pages.bytes_of(pages.drawn("Счёт")))


async def test_tesseract_has_a_deadline_and_needs_its_languages(only: Only) -> None:
    file = pages.bytes_of(pages.drawn("Счёт"))
    async with Reader(Tesseract(timeout_s=0.001), None) as reader:
        with pytest.raises(Unavailable, match=r"not read within 0\.001 s"):
            await only(reader, file)
    async with Reader(Tesseract(("xxx",)), None) as reader:
        with pytest.raises(Unavailable, match="lacks a language of xxx: apt-get install"):
            await only(reader, file)


async def test_pages_of_a_pdf_come_one_by_one(alone: Reader, tmp_path: Path) -> None:
    images = [pages.drawn(text, 40) for text in ("Страница первая", "Страница вторая")]
    images[0].save(tmp_path / "two.pdf", save_all=True, append_images=images[1:], resolution=200)
    read = [page async for page in alone.pages(tmp_path / "two.pdf")]
    assert [page.number for page in read] == [1, 2]
    assert markdown_from(read) == "Страница первая\n\n---\n\nСтраница вторая\n"


async def test_what_is_no_picture_is_refused(alone: Reader, only: Only) -> None:
    with pytest.raises(Rejected, match="no picture and no PDF"):
        await only(alone, b"this is a text")
