"""PaddleOCR behind PaddleX's own server: one picture in, the lines of a page out.

Its default pipeline has no Cyrillic; joining notices that, a start-up check should.

Source: paddlex 3.7.2 (inference/serving), read and asked 2026-11-26.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

import httpx

from lib.clients._closing import Closing
from lib.clients._http import REASON_CHARS, USER_AGENT, check_status, translated
from lib.domain.documents.pages import Box, Line, Reading
from lib.domain.lines import one_line
from lib.errors import Rejected, Unavailable

ENGINE = "paddle"
IMAGE = 1
LIMIT_BYTES = 30_000_000  # of a picture as it is sent
ANSWER_LIMIT_BYTES = 32_000_000
LINES_AT_MOST, LINE_CHARS = 5_000, 2_000
WHAT = "paddle /ocr"


class Paddle(Closing):
    """One server.

    Args:
        base_url: without ``/ocr``, for example ``http://127.0.0.1:8080``.
        timeout_s: for one picture; the server reads one after the other, so others count too.
    """

    def __init__(self, base_url: str, timeout_s: float = 120.0) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(timeout_s, connect=5.0),
            headers={"user-agent": USER_AGENT},
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def check(self) -> None:
        """Raise Unavailable unless the server is up."""
        with translated("paddle /health", write=False):
            response = await self._http.get("/health")
        check_status(response, "paddle /health", write=False)

    async def read(self, picture: bytes, log_id: str) -> Reading:
        """What is written on a page.

        A PDF is not sent: the server reads 10 pages of it and says nothing of the rest.

        Args:
            picture: PNG, JPEG or another kind that OpenCV decodes; upright and level.
            log_id: ours, for the server's logs.

        Raises:
            Rejected: it is no such picture, too large, or the server's settings refuse it.
            Unavailable: the server cannot be reached, is slow, fails, or answers nonsense.
        """
        if len(picture) > LIMIT_BYTES:
            raise Rejected(f"{WHAT}: the picture is above {LIMIT_BYTES // 1_000_000} MB")
        asked = {
            "file": base64.b64encode(picture).decode(),
            "fileType": IMAGE,
            "logId": log_id,
            "visualize": False,
            # Either would answer with boxes of another picture than ours.
            "useDocOrientationClassify": False,
            "useDocUnwarping": False,
        }
        with translated(WHAT, write=False):
            async with self._http.stream("POST", "/ocr", json=asked) as response:
                raw = await _read(response)
        return Reading(engine=ENGINE, lines=tuple(lines_from(_pages_in(response, raw))))


async def _read(response: httpx.Response) -> bytes:
    raw = bytearray()
    async for piece in response.aiter_bytes():
        raw += piece
        if len(raw) > ANSWER_LIMIT_BYTES:
            raise Unavailable(f"{WHAT}: the answer is above {ANSWER_LIMIT_BYTES} bytes")
    return bytes(raw)


def _pages_in(response: httpx.Response, raw: bytes) -> Any:
    """What was read, page by page; the server's own errors in our tree."""
    whole = httpx.Response(response.status_code, headers=_plain(response), content=raw)
    try:
        answer = whole.json()
    except (ValueError, RecursionError):
        answer = None
    reason = answer.get("errorMsg") if isinstance(answer, dict) else None
    if whole.status_code >= 400 and isinstance(reason, str):
        told = f"{WHAT}: HTTP {whole.status_code}: {one_line(reason, REASON_CHARS)}"
        raise (Rejected if whole.status_code < 500 else Unavailable)(told)
    check_status(whole, WHAT, write=False)
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict) or answer.get("errorCode") != 0:
        raise Unavailable(f"{WHAT}: the answer is no result of OCR")
    return result.get("ocrResults")


def _plain(response: httpx.Response) -> dict[str, str]:
    """What matters of the headers: the body is decoded already."""
    name = "retry-after"
    return {name: response.headers[name]} if name in response.headers else {}


def lines_from(results: object) -> Iterator[Line]:
    """The lines of the one page of an answer; those that make no sense are left out.

    Raises:
        Unavailable: there is no page in it, or its parts do not fit each other.
    """
    first = results[0] if isinstance(results, list) and results else None
    pruned = first.get("prunedResult") if isinstance(first, dict) else None
    if not isinstance(pruned, dict):
        raise Unavailable(f"{WHAT}: the answer has no page")
    columns = [pruned.get(f"rec_{name}") for name in ("texts", "scores", "polys")]
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) < len(columns) or len({len(column) for column in lists}) != 1:
        raise Unavailable(f"{WHAT}: its texts, scores and boxes do not fit each other")
    for text, score, polygon in list(zip(*lists, strict=True))[:LINES_AT_MOST]:
        box = _box(polygon)
        words = one_line(text, LINE_CHARS) if isinstance(text, str) else ""
        if box is not None and words and _is_number(score):
            yield Line(box=box, text=words, confidence=min(1.0, max(0.0, score)))


def _box(polygon: object) -> Box | None:
    if not isinstance(polygon, list) or len(polygon) < 3:
        return None
    if not all(isinstance(point, list) and len(point) == 2 for point in polygon):
        return None
    if not all(_is_number(value) for point in polygon for value in point):
        return None
    xs, ys = ([float(point[axis]) for point in polygon] for axis in (0, 1))
    return Box(left=min(xs), top=min(ys), right=max(xs), bottom=max(ys))


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < 1e9
        and math.isfinite(value)
    )
