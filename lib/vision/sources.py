"""Files with pages: pictures of many kinds and PDF, decoded one page at a time.

Nothing is decoded before its size is known: a file of a few kilobytes may hold a gigapixel.

Source: pillow.readthedocs.io (Image.open, file formats), pypdfium2.readthedocs.io,
pillow-heif.readthedocs.io, read 2026-11-26.
"""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
import pillow_heif
import pypdfium2 as pdfium
from PIL import Image, ImageOps, UnidentifiedImageError

from lib.errors import Rejected

LIMIT_BYTES = 100_000_000
LIMIT_PIXELS = 80_000_000  # decoded at once: 240 MB
LIMIT_PAGES = 300
READ_AT_MOST_PX = 16_000_000  # an A4 of 400 dpi; a larger page is read smaller
PDF_DPI, POINTS_PER_INCH = 300.0, 72.0
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "HEIF")
_OF_MANY_PAGES = ("TIFF",)  # what else has frames is a film, and its first one is read
_SHORTEST_PX = 4
# What decoders raise on spoiled bytes; found by spoiling files of each kind.
_SPOILED = (
    *(OSError, EOFError, SyntaxError, TypeError, ValueError, IndexError, RuntimeError),
    struct.error,
)

pillow_heif.register_heif_opener(thumbnails=False)
# What is wrong with a file is said in its error; what Pillow mends of it is nobody's business.
warnings.filterwarnings("ignore", module=r"PIL\.")
_pdfium = threading.Lock()  # it is not made for threads


class Source(Protocol):
    """A file with pages."""

    @property
    def pages(self) -> int:
        """How many."""

    def picture(self, number: int) -> Image.Image:
        """A page, from 1: RGB on white.

        Raises:
            Rejected: it cannot be decoded, or is too large.
        """


@contextmanager
def opened(file: Path | bytes) -> Iterator[Source]:
    """A picture or a PDF, until the block ends.

    Args:
        file: where it lies, or its bytes.

    Raises:
        Rejected: it is none that can be read, is encrypted, too large, or has too many pages.
    """
    raw = _bytes_of(file)
    if b"%PDF-" in raw[:1024]:
        with _opened_pdf(raw) as pdf:
            yield _Pdf(pdf)
        return
    with _refusing():
        try:
            image = Image.open(BytesIO(raw), formats=FORMATS)
        except UnidentifiedImageError:
            raise Rejected("the file is no picture and no PDF that can be read") from None
    with image:
        yield _Picture(image)


def _bytes_of(file: Path | bytes) -> bytes:
    if isinstance(file, Path):
        if file.stat().st_size > LIMIT_BYTES:
            raise Rejected(f"the file is above {LIMIT_BYTES // 1_000_000} MB")
        file = file.read_bytes()
    if not file:
        raise Rejected("the file is empty: 0 bytes")
    if len(file) > LIMIT_BYTES:
        raise Rejected(f"the file is above {LIMIT_BYTES // 1_000_000} MB")
    return file


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise Rejected for whatever Pillow stumbles over in a file that is broken."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large() from exc
    except _SPOILED as exc:
        raise Rejected(f"the picture breaks off or is spoiled ({type(exc).__name__})") from exc


def _too_large() -> Rejected:
    return Rejected(f"the picture is above {LIMIT_PIXELS // 1_000_000} million pixels")


class _Picture:
    def __init__(self, image: Image.Image) -> None:
        self._image = image
        is_many = image.format in _OF_MANY_PAGES
        with _refusing():
            self.pages: int = getattr(image, "n_frames", 1) if is_many else 1
        _check_pages(self.pages)

    def picture(self, number: int) -> Image.Image:
        with _refusing():
            if number > 1:
                self._image.seek(number - 1)
            _check_size(*self._image.size)
            self._image.load()
            upright = ImageOps.exif_transpose(self._image)
            return _smaller(_on_white(upright))


class _Pdf:
    def __init__(self, document: pdfium.PdfDocument) -> None:
        self._document = document
        self.pages = len(document)
        _check_pages(self.pages)

    def picture(self, number: int) -> Image.Image:
        with _pdfium:
            try:
                page = self._document[number - 1]
                width, height = page.get_size()
                if not (width > 0 and height > 0):
                    raise Rejected(f"page {number} has no size")
                scale = min(PDF_DPI / POINTS_PER_INCH, (READ_AT_MOST_PX / (width * height)) ** 0.5)
                _check_size(round(width * scale), round(height * scale))
                drawn: Image.Image = page.render(scale=scale).to_pil()
                return drawn.convert("RGB")
            except pdfium.PdfiumError as exc:
                raise Rejected(f"page {number} of the PDF cannot be read") from exc


@contextmanager
def _opened_pdf(raw: bytes) -> Iterator[pdfium.PdfDocument]:
    with _pdfium:
        try:
            document = pdfium.PdfDocument(raw)
        except pdfium.PdfiumError as exc:
            if "password" in str(exc).lower():
                raise Rejected("the PDF is encrypted: it opens with a password only") from exc
            raise Rejected("the PDF is spoiled: it cannot be opened") from exc
    try:
        yield document
    finally:
        with _pdfium:
            document.close()


def _check_pages(count: int) -> None:
    if count < 1:
        raise Rejected("the file has no pages")
    if count > LIMIT_PAGES:
        raise Rejected(f"the file has {count} pages: at most {LIMIT_PAGES} are read")


def _check_size(width: int, height: int) -> None:
    if width * height > LIMIT_PIXELS:
        raise _too_large()
    if min(width, height) < _SHORTEST_PX:
        raise Rejected(f"the picture is {width} × {height} pixels: too small to be read")


def _smaller(image: Image.Image) -> Image.Image:
    pixels = image.width * image.height
    return (
        image
        if pixels <= READ_AT_MOST_PX
        else image.reduce(int(np.ceil((pixels / READ_AT_MOST_PX) ** 0.5)))
    )


def _on_white(image: Image.Image) -> Image.Image:
    """Without transparency, 8 bits a channel."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        grey = (values - low) * (255.0 / (high - low)) if high > low else np.full_like(values, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")
