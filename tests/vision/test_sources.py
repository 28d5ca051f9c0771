"""Files with pages: of every kind, and those that are none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib.errors import Rejected
from lib.vision import sources
from lib.vision.sources import opened
from tests.vision.pages import bytes_of, drawn, png_of_size

SMALL = drawn("Счёт", 20, 10)
KINDS = ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "PDF"]
FILES = {kind: bytes_of(SMALL, kind) for kind in KINDS}


def first_of(file: Path | bytes) -> Image.Image:
    with opened(file) as source:
        return source.picture(1)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_every_kind(kind: str) -> None:
    image = first_of(FILES[kind])
    assert image.mode == "RGB"
    ratio = image.width / image.height
    assert ratio == pytest.approx(SMALL.width / SMALL.height, rel=0.05)
    values = np.asarray(image.convert("L"))
    assert values.min() < 60 < 240 < values.max()


@pytest.mark.parametrize("kind", ["PDF", "TIFF"])
def test_files_of_many_pages(kind: str) -> None:
    file = bytes_of(SMALL, kind, save_all=True, append_images=[SMALL, SMALL])
    with opened(file) as source:
        assert source.pages == 3
        assert source.picture(3).size == source.picture(1).size


def test_what_moves_is_one_page() -> None:
    with opened(bytes_of(SMALL, "GIF", save_all=True, append_images=[drawn("два", 20)])) as source:
        assert source.pages == 1


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (b"", "empty: 0 bytes"),
        (b"this is a text", "no picture and no PDF"),
        (b"%PDF-1.7 and no more", "the PDF is spoiled"),
        (FILES["PNG"][:200], "breaks off or is spoiled"),
        (FILES["JPEG"][:-200], "breaks off or is spoiled"),
        (png_of_size(100_000, 100_000), "above 80 million pixels"),
        (png_of_size(12_000, 8_000), "above 80 million pixels"),
        (png_of_size(2, 900), "too small"),
    ],
    ids=["empty", "text", "pdf", "cut png", "cut jpeg", "bomb", "large", "small"],
)
def test_what_cannot_be_read_is_refused(file: bytes, told: str) -> None:
    with pytest.raises(Rejected, match=told):
        first_of(file)


def test_a_pdf_with_a_password_is_refused() -> None:
    key = "<" + "41" * 32 + ">"
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>",
        f"<</Filter/Standard/V 1/R 2/O {key}/U {key}/P -4>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(body))
        body += f"{number} 0 obj{part}endobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    tail = (
        f"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[{key}{key}]>>\nstartxref\n{len(body)}\n%%EOF"
    )
    with pytest.raises(Rejected, match="encrypted"):
        first_of(body + f"xref\n0 5\n0000000000 65535 f \n{table}{tail}".encode())


@pytest.mark.parametrize("kind", ["PDF", "TIFF"])
def test_too_many_pages_are_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LIMIT_PAGES", 2)
    file = bytes_of(SMALL, kind, save_all=True, append_images=[SMALL, SMALL])
    with pytest.raises(Rejected, match="3 pages: at most 2"):
        first_of(file)


def test_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LIMIT_BYTES", 100)
    (tmp_path / "a.png").write_bytes(FILES["PNG"])
    for file in (tmp_path / "a.png", FILES["PNG"]):
        with pytest.raises(Rejected, match="above"):
            first_of(file)


def test_a_large_page_is_read_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "READ_AT_MOST_PX", 2_000)
    for kind in ("PNG", "PDF"):
        image = first_of(FILES[kind])
        assert 400 < image.width * image.height <= 2_100


def test_pictures_are_upright_opaque_and_of_8_bits() -> None:
    upright = Image.Exif()
    upright[0x0112] = 6  # turned a quarter clockwise
    assert first_of(bytes_of(SMALL, "JPEG", exif=upright)).size == SMALL.size[::-1]
    clear = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    assert first_of(bytes_of(clear)).getpixel((5, 5)) == (255, 255, 255)
    deep = Image.fromarray(np.linspace(0, 65_535, 2_500).reshape(50, 50).astype(np.uint16))
    values = np.asarray(first_of(bytes_of(deep)))
    assert (values.min(), values.max()) == (0, 255)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.data())
def test_spoiled_files_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    file = bytearray(FILES[kind][: data.draw(st.integers(1, len(FILES[kind])))])
    for _ in range(data.draw(st.integers(0, 5))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Rejected), opened(bytes(file)) as source:
        assert source.picture(1).mode == "RGB"
