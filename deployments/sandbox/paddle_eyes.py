"""What the stand-in for PaddleX sees: the pages of a file, and their lines by Tesseract."""

from __future__ import annotations

import base64
import binascii
import io
import subprocess
from typing import Any

from PIL import Image
from pydantic import BaseModel, Field

MAX_PIXELS = 178_956_970
PAGES_AT_MOST = 10
PDF_SCALE = 2.0
_TIFF = (b"II*\x00", b"MM\x00*")
_LATIN = str.maketrans("АВЕКМНОРСТУХаеорсухёчт№гЧ", "ABEKMHOPCTYXaeopcyxë4TNr4")


class PictureTooLarge(ValueError):
    """It has more pixels than the server decodes."""


class Seen(BaseModel):
    """A line; ``box``: left, top, right, bottom in px."""

    text: str
    box: tuple[int, int, int, int]
    score: float = Field(default=0.95, ge=0, le=1)

    @property
    def polygon(self) -> list[list[int]]:
        """Its corners, from the left upper one clockwise."""
        left, top, right, bottom = self.box
        return [[left, top], [right, top], [right, bottom], [left, bottom]]


def pages_in(file: str, is_pdf: bool) -> tuple[list[Image.Image], dict[str, Any]]:
    """The pictures in a file, and the ``dataInfo`` of the answer.

    Args:
        file: Base64; characters that are none of it are not looked at, as by the server.
        is_pdf: as the caller says.

    Raises:
        ValueError: it cannot be decoded.
    """
    try:
        raw = base64.b64decode(file)
        pages = _of_pdf(raw) if is_pdf else _of_picture(raw)
    except Image.DecompressionBombError as exc:  # Pillow's limit is the server's
        words = f"Image pixel count exceeds maximum allowed {MAX_PIXELS}."
        raise PictureTooLarge(words) from exc
    except (OSError, SyntaxError, binascii.Error, RuntimeError, TypeError) as exc:
        raise ValueError("it cannot be decoded") from exc
    sizes = [{"width": page.width, "height": page.height} for page in pages]
    if is_pdf or (raw[:4] in _TIFF and len(pages) > 1):
        kind = "pdf" if is_pdf else "tiff"
        return pages, {"numPages": len(pages), "pages": sizes, "type": kind}
    return pages, {**sizes[0], "type": "image"}


def _of_pdf(raw: bytes) -> list[Image.Image]:
    import pypdfium2 as pdfium  # of the extra `ocr`: without it the sandbox still starts

    document = pdfium.PdfDocument(raw)
    try:
        count = min(len(document), PAGES_AT_MOST)
        return [document[at].render(scale=PDF_SCALE).to_pil().convert("RGB") for at in range(count)]
    finally:
        document.close()


def _of_picture(raw: bytes) -> list[Image.Image]:
    with Image.open(io.BytesIO(raw)) as image:
        frames = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        pages = []
        for number in range(min(frames, PAGES_AT_MOST)):
            image.seek(number)
            pages.append(image.convert("RGB"))
        return pages


def image_in(page: Image.Image) -> str:
    """A page as it is sent back: JPEG in Base64, at most 2000 px high and wide."""
    small = page.copy()
    small.thumbnail((2000, 2000))
    written = io.BytesIO()
    small.save(written, "JPEG")
    return base64.b64encode(written.getvalue()).decode()


def seen_in(page: Image.Image) -> list[Seen]:
    """The lines on a page; its boxes are wider than the letters, as the server's are."""
    written = io.BytesIO()
    page.convert("L").save(written, "PPM")
    command = ["env", "OMP_THREAD_LIMIT=1", "tesseract", "stdin", "stdout", "-l", "rus+eng", "tsv"]
    told = subprocess.run(
        command, input=written.getvalue(), capture_output=True, timeout=120, check=True
    )
    rows: dict[tuple[str, ...], list[list[str]]] = {}
    for row in told.stdout.decode().splitlines():
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip():
            rows.setdefault(tuple(cells[1:5]), []).append(cells)
    return [_seen(words) for words in rows.values()]


def _seen(words: list[list[str]]) -> Seen:
    boxes = [[int(cell) for cell in word[6:10]] for word in words]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    more = (bottom - top) // 6
    score = sum(float(word[10]) for word in words) / len(words) / 100
    return Seen(
        text=" ".join(word[11] for word in words),
        box=(max(0, left - more), max(0, top - more), right + more, bottom + more),
        score=min(1.0, max(0.0, score)),
    )


def in_latin(line: Seen) -> Seen:
    """As a model without Cyrillic reads it: look-alikes, the rest left out, and it is sure."""
    seen = line.text.translate(_LATIN)
    known = "".join(char for char in seen if not "А" <= char <= "ё")
    return line.model_copy(update={"text": known, "score": max(line.score, 0.93)})
