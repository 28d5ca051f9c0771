"""Tesseract on this machine: a process for each look at a page, without threads of its own.

pytesseract is not used. It cannot set OMP_THREAD_LIMIT, without which two pages at once take
1.9 times the CPU (Tesseract 5.3, two cores, 2026-11-26), and it writes each page to disk first.

Source: tesseract(1) 5.3.0, its TSV output, tessdoc/ImproveQuality, read 2026-11-26.
"""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageFilter

from lib.domain.documents.pages import Line, Reading
from lib.domain.documents.tesseract_tsv import lines_from
from lib.errors import Rejected, Unavailable
from lib.vision.straight import ink_of

ENGINE = "tesseract"
INSTALLED_BY = "apt-get install tesseract-ocr tesseract-ocr-rus"
TIMEOUT_S = 60.0
OSD_PX, SURE_OF_TURN = 1600, 2.0
SMALL_PX = 20  # the height of a line: smaller letters are read better twice as large
SPECKS = 0.002  # of all pixels: more of them is noise
UNREAD, SECOND_LOOK_FROM = 0.01, 0.6  # ink that no line covers; how sure a second look must be
CELL_PX, SHADOW, DARK, FADES = 16, 40, 96, 10  # of 255 grey levels, FADES: from cell to cell
AUTO, BLOCK, ORIENTATION = "3", "6", "0"


class Tesseract:
    """One installation.

    Args:
        languages: as its packages name them.
        timeout_s: of one look.
        program: its name or path.
    """

    def __init__(
        self,
        languages: Sequence[str] = ("rus", "eng"),
        timeout_s: float = TIMEOUT_S,
        program: str = "tesseract",
    ) -> None:
        self._languages = "+".join(languages)
        self._timeout_s = timeout_s
        self._program = program

    def turn_of(self, picture: Image.Image) -> int:
        """How far a page must be turned clockwise to be upright: 0, 90, 180 or 270 degrees.

        Returns:
            0 also when there is too little writing to tell.

        Raises:
            Unavailable: Tesseract is not installed, or takes too long.
        """
        small = picture.convert("L")
        small.thumbnail((OSD_PX, OSD_PX), Image.Resampling.LANCZOS)
        code, said, _ = self._run(small, "osd", ORIENTATION)
        told = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
        if code or float(told.get("Orientation confidence", 0)) < SURE_OF_TURN:
            return 0
        return int(told.get("Rotate", 0)) % 360

    def read(self, picture: Image.Image) -> Reading:
        """What is written on a page that is upright and level.

        Raises:
            Rejected: it refuses the picture.
            Unavailable: it is not installed, lacks a language, or takes too long.
        """
        grey = _clean(_lit(picture.convert("L")))
        lines, scale = self._lines(grey, AUTO), 1
        if _height(lines) < SMALL_PX:
            scale = 2
            grey = grey.resize((grey.width * scale, grey.height * scale), _SMOOTH)
            lines = self._lines(grey, AUTO)
        if unread := _unread(grey, lines):
            lines += [
                line for line in self._lines(unread, BLOCK) if line.confidence >= SECOND_LOOK_FROM
            ]
        return Reading(engine=ENGINE, lines=tuple(_scaled(lines, 1 / scale)))

    def _lines(self, grey: Image.Image, mode: str) -> list[Line]:
        code, said, wrong = self._run(grey, self._languages, mode, "tsv")
        if code:
            if "tessdata" in wrong or "language" in wrong:
                raise Unavailable(
                    f"tesseract lacks a language of {self._languages}: {INSTALLED_BY}"
                )
            raise Rejected(f"tesseract: the picture cannot be read (exit code {code})")
        return lines_from(said)

    def _run(
        self, grey: Image.Image, languages: str, mode: str, *more: str
    ) -> tuple[int, str, str]:
        if shutil.which(self._program) is None:
            raise Unavailable(f"tesseract is not installed: {INSTALLED_BY}")
        raw = io.BytesIO()
        grey.save(raw, "PPM")
        command = ["env", "OMP_THREAD_LIMIT=1", self._program, "stdin", "stdout"]
        command += ["-l", languages, "--psm", mode, *more]
        try:
            done = subprocess.run(
                command,
                input=raw.getvalue(),
                capture_output=True,
                timeout=self._timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise Unavailable(f"tesseract: not read within {self._timeout_s:g} s") from exc
        said, wrong = (out.decode("utf-8", "replace") for out in (done.stdout, done.stderr))
        return done.returncode, said, wrong


_SMOOTH = Image.Resampling.LANCZOS


def _lit(grey: Image.Image) -> Image.Image:
    """A photographed page without its shadow; one that is lit evenly as it is.

    Tesseract's threshold is one for the whole page: what is darker than it is lost in black.
    """
    cells_across, cells_down = (max(2, side // CELL_PX) for side in grey.size)
    small = grey.resize((cells_across, cells_down), Image.Resampling.BOX)
    paper = small.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(3))
    light = np.asarray(paper).astype(np.float32)
    steps = np.concatenate([np.abs(np.diff(light, axis=axis)).ravel() for axis in (0, 1)])
    is_even = np.ptp(np.percentile(light, (5, 95))) < SHADOW
    # A dark screen is no shadow, and a coloured band ends at once where a shadow fades.
    if is_even or np.median(light) < DARK or np.percentile(steps, 99) > FADES:
        return grey
    whole = np.asarray(paper.resize(grey.size, Image.Resampling.BICUBIC)).astype(np.float32)
    values = np.asarray(grey) * 255.0 / np.maximum(1.0, whole)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _clean(grey: Image.Image) -> Image.Image:
    """Without specks, where there are many; Tesseract takes them for accents and dots."""
    is_dark = np.asarray(grey) < 128
    neighbours = sum(
        np.roll(is_dark, (down, right), (0, 1)).astype(np.uint8)
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        if (down, right) != (0, 0)
    )
    specks = float((is_dark & (neighbours == 0)).mean())
    return grey.filter(ImageFilter.MedianFilter(3)) if specks > SPECKS else grey


def _height(lines: Sequence[Line]) -> float:
    """How high most lines are, px; of none as high as need be."""
    return statistics.median(line.box.height for line in lines) if lines else SMALL_PX


def _unread(grey: Image.Image, lines: Sequence[Line]) -> Image.Image | None:
    """The page without what was read; None when hardly any ink is left.

    A look at the whole page leaves out digits that stand alone, such as a column of numbers.
    """
    values = np.array(grey)
    ink = int(ink_of(values).sum())
    paper = int(np.median(values))
    for line in lines:
        box, more = line.box, line.box.height / 4
        rows = slice(max(0, int(box.top - more)), int(box.bottom + more) + 1)
        values[rows, max(0, int(box.left - more)) : int(box.right + more) + 1] = paper
    left = int((np.abs(values.astype(np.int16) - paper) > 100).sum())
    return Image.fromarray(values) if lines and left > UNREAD * max(1, ink) else None


def _scaled(lines: Sequence[Line], by: float) -> Iterator[Line]:
    for line in lines:
        words = tuple(word.model_copy(update={"box": word.box.scaled(by)}) for word in line.words)
        yield line.model_copy(update={"box": line.box.scaled(by), "words": words})
