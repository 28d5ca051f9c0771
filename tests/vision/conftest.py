"""The sandbox's PaddleX, and a reader with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from deployments.sandbox.app import create_app
from lib.clients.paddle import Paddle
from lib.domain.documents.pages import Page
from lib.vision.reader import Reader
from lib.vision.tesseract import Tesseract
from tests.sandbox_server import running


@pytest.fixture(scope="session")
async def served() -> AsyncIterator[httpx.AsyncClient]:
    async with running(create_app()) as url, httpx.AsyncClient(base_url=url, timeout=60) as http:
        yield http


@pytest.fixture
async def box(served: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    yield served
    await served.post("/control/paddle/reset")


@pytest.fixture
async def alone() -> AsyncIterator[Reader]:
    """Tesseract and nobody else."""
    async with Reader(Tesseract(), None) as reader:
        yield reader


@pytest.fixture
async def both(box: httpx.AsyncClient) -> AsyncIterator[Reader]:
    async with Reader(Tesseract(), Paddle(f"{box.base_url}/paddle")) as reader:
        yield reader


@pytest.fixture
def only() -> Callable[[Reader, bytes], object]:
    """The one page of a file."""

    async def read(reader: Reader, file: bytes) -> Page:
        (page,) = [page async for page in reader.pages(file)]
        return page

    return read
