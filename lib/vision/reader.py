"""A page read by all engines at once; one of them is enough."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from PIL import Image

from lib.clients import paddle as paddle_client
from lib.clients._closing import Closing
from lib.clients.paddle import Paddle
from lib.domain.documents.joining import joined
from lib.domain.documents.pages import Page, Reading
from lib.errors import PotokError, Rejected, Unavailable
from lib.vision.sources import Source, opened
from lib.vision.straight import Straight, straightened
from lib.vision.tesseract import ENGINE, Tesseract

T = TypeVar("T")

JPEG_QUALITY = 92  # what PaddleX is sent: a fifth of PNG's bytes, and nothing lost to its eyes


class Reader(Closing):
    """Reads pages. Made inside a running event loop.

    Args:
        tesseract: on this machine.
        paddle: PaddleX's server; None: there is none.
        workers: looks of Tesseract and decoded pages at once; each takes one core.
    """

    def __init__(self, tesseract: Tesseract, paddle: Paddle | None, workers: int = 2) -> None:
        self._tesseract = tesseract
        self._paddle = paddle
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ocr")

    async def aclose(self) -> None:
        """Close the connections; what a thread still does ends by its own deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._paddle is not None:
            await self._paddle.aclose()

    async def pages(self, file: Path | bytes, log_id: str = "potok") -> AsyncIterator[Page]:
        """The pages of a file, in order; no more than one is in memory.

        Raises:
            Rejected: the file or a page of it cannot be decoded, or is too large.
            Unavailable: no engine could read a page.
        """
        with ExitStack() as stack:
            source = await self._in_thread(lambda: stack.enter_context(opened(file)))
            for number in range(1, source.pages + 1):
                yield await self._page(source, number, f"{log_id}-{number}")

    async def _page(self, source: Source, number: int, log_id: str) -> Page:
        picture = await self._in_thread(lambda: source.picture(number))
        level = await self._in_thread(lambda: self._straight(picture))
        wanted = {ENGINE: self._in_thread(lambda: self._tesseract.read(level.picture))}
        if self._paddle is not None:
            wanted[paddle_client.ENGINE] = self._by_paddle(self._paddle, level.picture, log_id)
        answers = await asyncio.gather(*wanted.values(), return_exceptions=True)
        readings, missing, errors = [], {}, []
        for engine, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Reading):
                readings.append(answer)
            elif isinstance(answer, PotokError):
                missing[engine] = str(answer)
                errors.append(answer)
            else:
                raise answer  # a bug, or we are cancelled
        if not readings:
            raise _unread(number, errors)
        return Page(
            number=number,
            width_px=level.picture.width,
            height_px=level.picture.height,
            turned_deg=level.turned_deg,
            skew_deg=level.skew_deg,
            engines=tuple(reading.engine for reading in readings),
            missing=missing,
            lines=joined(readings),
        )

    def _straight(self, picture: Image.Image) -> Straight:
        try:
            turn_deg = self._tesseract.turn_of(picture)
        except Unavailable:  # the page is read as it lies by whoever is there
            turn_deg = 0
        return straightened(picture, turn_deg)

    async def _by_paddle(self, paddle: Paddle, picture: Image.Image, log_id: str) -> Reading:
        return await paddle.read(await self._in_thread(lambda: _jpeg(picture)), log_id)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _jpeg(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY)
    return written.getvalue()


def _unread(number: int, errors: list[PotokError]) -> PotokError:
    """Why no engine read a page: tried again when one of them may yet."""
    told = f"page {number}: {'; '.join(map(str, errors))}"
    if any(isinstance(error, Unavailable) for error in errors):
        return Unavailable(told)
    return Rejected(told)
