"""Pages drawn for tests: what stands on them is known."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lib.domain.documents.markdown import page_markdown
from lib.domain.documents.pages import Page
from tests.speech.errors import distance

RUSSIAN = """Счёт № 1234 от 15 марта 2026 г.
Поставщик: ООО «Ромашка», ИНН 7707083893, КПП 773601001
Расчётный счёт 40702810900000000001 в банке, БИК 044525225
Всего к оплате: 12 345,67 руб., в том числе НДС 20% — 2 057,61 руб.
Товар отпускается по факту прихода денег на счёт поставщика."""
ENGLISH = """Invoice No. 4711 dated 3 November 2026
Total due: 1,234.56 EUR, including VAT at 23% of 230.85 EUR.
For questions write to accounts@example.com or call +353 1 234 5678."""
LEFT = [
    "Договор вступает в силу со дня",
    "его подписания и действует до",
    "полного исполнения сторонами.",
]
RIGHT = [
    "Споры решаются путём перегово-",
    "ров, а без согласия передаются в",
    "суд по месту нахождения истца.",
]
TABLE = [
    ["№", "Наименование", "Кол-во", "Цена", "Сумма"],
    ["1", "Бумага офисная", "10", "350,00", "3 500,00"],
    ["2", "Картридж для принтера", "2", "4 200,00", "8 400,00"],
    ["3", "Доставка по городу", "1", "445,67", "445,67"],
]
EDGES = (60, 140, 640, 800, 1010, 1260)
SIZE = 30


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), size)


def drawn(text: str, size: int = SIZE, left: int = 60, width: int = 0) -> Image.Image:
    """Lines of text, black on white; as wide as they need."""
    lines = text.split("\n")
    wide = width or int(max(font(size).getlength(line) for line in lines)) + 2 * left
    image = Image.new("RGB", (wide, 2 * left + int(1.6 * size) * len(lines)), "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((left, left + int(1.6 * size) * number), line, "black", font(size))
    return image


def two_columns() -> Image.Image:
    image = drawn("\n".join(LEFT), 26, width=1200)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(RIGHT):
        pen.text((640, 60 + 41 * number), line, "black", font(26))
    return image


def table(lined: bool) -> Image.Image:
    image = Image.new("RGB", (EDGES[-1] + 60, 120 + 60 * len(TABLE)), "white")
    pen = ImageDraw.Draw(image)
    for number, row in enumerate(TABLE):
        for left, cell in zip(EDGES, row, strict=False):
            pen.text((left + 12, 60 + 60 * number + 10), cell, "black", font(28))
    if lined:
        for number in range(len(TABLE) + 1):
            pen.line((EDGES[0], 60 + 60 * number, EDGES[-1], 60 + 60 * number), "black", 2)
        for edge in EDGES:
            pen.line((edge, 60, edge, 60 + 60 * len(TABLE)), "black", 2)
    return image


def noisy(image: Image.Image, share: float = 0.03) -> Image.Image:
    values = np.array(image.convert("L"))
    chance = np.random.default_rng(1)
    is_spoiled = chance.random(values.shape) < share
    values[is_spoiled] = chance.integers(0, 2, values.shape)[is_spoiled] * 255
    return Image.fromarray(values)


def in_shadow(image: Image.Image) -> Image.Image:
    """As photographed with the light from the upper right."""
    values = np.asarray(image).astype(np.float64)
    across = np.linspace(0.55, 1, values.shape[1])[None, :, None]
    down = np.linspace(1, 0.8, values.shape[0])[:, None, None]
    return Image.fromarray((values * across * down).astype(np.uint8))


def skewed(image: Image.Image, deg: float) -> Image.Image:
    return image.rotate(deg, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def bytes_of(image: Image.Image, form: str = "PNG", **more: object) -> bytes:
    written = io.BytesIO()
    image.save(written, form, **more)
    return written.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is so large, in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def plain_words(text: str) -> str:
    """A page's words in one line: no Markdown, no breaks."""
    bare = re.sub(r"\\(.)", r"\1", text).replace("|", " ").replace("---", " ").replace("#", " ")
    return " ".join(bare.split())


def character_errors(said: str | Sequence[Sequence[str]], page: Page) -> float:
    """Character error rate, case and punctuation counted, breaks of lines not."""
    whole = said if isinstance(said, str) else " ".join(cell for row in said for cell in row)
    expected, found = plain_words(whole), plain_words(page_markdown(page))
    return distance(expected, found) / len(expected)
