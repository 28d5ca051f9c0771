"""A stand-in for PaddleX's OCR server: ``GET /health`` and ``POST /ocr`` by its real contract.

Its eyes are Tesseract, or what a test tells it to see. As the real one it reads one picture after
the other, 10 pages of a PDF and no more, sends pictures back unless it is told not to, and answers
500 to settings that its pipeline has no model for. It fetches no addresses.

Control, under ``/control/paddle`` (JSON):

    POST …/sees      ``{"lines": [{"text", "box": [left, top, right, bottom], "score"}]}``: what
                     every picture shows from now on; ``{"lines": null}``: what Tesseract reads
    POST …/alphabet  ``{"alphabet": "latin"}``: no Cyrillic, as the default models have none
    POST …/failures  ``{"kind", "times", …}``: ``slow`` (``delay_s``), ``status`` (``status``),
                     ``hang``, ``cut``, ``html``, ``empty`` (no page), ``uneven`` (texts and scores
                     do not fit each other)
    GET  …/failures  what is on; DELETE ends it
    GET  …/state     counts, what is on, the last bodies without their files
    POST …/reset     as at the start

Source: paddlex 3.7.2 (inference/serving), asked 2026-11-26.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from collections import Counter, deque
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import Response
from starlette.routing import Route

from deployments.sandbox.failures import Failure, Failures, no_answer
from deployments.sandbox.model_control import model_control
from deployments.sandbox.paddle_eyes import (
    PictureTooLarge,
    Seen,
    image_in,
    in_latin,
    pages_in,
    seen_in,
)
from deployments.sandbox.refusals import plain

KINDS: dict[str, tuple[str, ...]] = {
    "slow": ("delay_s",),
    "status": ("status",),
    **dict.fromkeys(("hang", "cut", "html", "empty", "uneven"), ()),
}
NO_MODEL = "the input params for model settings are invalid!"


class Asked(BaseModel):
    """The body of ``/ocr``; what else is in it is not looked at."""

    file: str
    fileType: Literal[0, 1] | None = None
    useDocOrientationClassify: bool | None = None
    useDocUnwarping: bool | None = None
    useTextlineOrientation: bool | None = None
    textDetLimitSideLen: int | None = None
    textDetLimitType: str | None = None
    textDetThresh: float | None = None
    textDetBoxThresh: float | None = None
    textDetUnclipRatio: float | None = None
    textRecScoreThresh: float | None = None
    returnWordBox: bool | None = None
    visualize: bool | None = None
    logId: str | None = None


class Sees(BaseModel):
    """What a test lets it see."""

    lines: list[Seen] | None


class Alphabet(BaseModel):
    """The letters that its model knows."""

    alphabet: Literal["cyrillic", "latin"]


class Paddle:
    """The server and what it remembers."""

    def __init__(self) -> None:
        self.failures = Failures(KINDS)
        self.counts: Counter[str] = Counter()
        self.bodies: deque[dict[str, Any]] = deque(maxlen=50)
        self.sees: list[Seen] | None = None
        self.has_cyrillic = True
        self._turn = asyncio.Lock()

    def reset(self) -> None:
        """As at the start."""
        self.failures.waiting.clear()
        self.counts.clear()
        self.bodies.clear()
        self.sees, self.has_cyrillic = None, True

    def state(self) -> dict[str, Any]:
        """What was asked, and what is on."""
        counted = {"counts": dict(self.counts), "failures": self.failures.listed()}
        return counted | {"bodies": list(self.bodies), "has_cyrillic": self.has_cyrillic}

    def app(self) -> FastAPI:
        """The API, to be mounted."""
        app = FastAPI(openapi_url=None)
        app.add_exception_handler(RequestValidationError, _invalid)
        app.add_exception_handler(AnyHTTPException, _refused)

        @app.get("/health")
        async def health() -> dict[str, Any]:
            return _told(_log_id(), 0, "Healthy")

        @app.post("/ocr")
        async def ocr(asked: Asked, request: Request) -> Response:
            self.counts["requests"] += 1
            self.bodies.append(asked.model_dump(exclude={"file"}, exclude_none=True))
            if (failure := self.failures.next_for("ocr")) is not None:
                self.counts[failure.kind] += 1
                if (instead := await _instead(failure, request)) is not None:
                    return instead
            async with self._turn:
                return await self._read(asked, failure.kind if failure else "")

        return app

    def control(self) -> list[Route]:
        """Routes to be mounted at ``/control/paddle``."""

        async def sees(request: Request) -> Response:
            try:
                self.sees = Sees.model_validate_json(await request.body()).lines
            except ValidationError as error:
                return JSONResponse({"error": plain(error)}, status_code=422)
            return JSONResponse({"ok": True})

        async def alphabet(request: Request) -> Response:
            try:
                wanted = Alphabet.model_validate_json(await request.body())
            except ValidationError as error:
                return JSONResponse({"error": plain(error)}, status_code=422)
            self.has_cyrillic = wanted.alphabet == "cyrillic"
            return JSONResponse({"ok": True})

        return [
            *model_control(self.failures, self.reset, state=self.state),
            Route("/sees", sees, methods=["POST"]),
            Route("/alphabet", alphabet, methods=["POST"]),
        ]

    async def _read(self, asked: Asked, spoiled_by: str) -> Response:
        log_id = asked.logId or _log_id()
        if asked.fileType is None:
            raise HTTPException(422, "File type cannot be determined")
        try:
            pages, info = await asyncio.to_thread(pages_in, asked.file, asked.fileType == 0)
        except PictureTooLarge as exc:
            raise HTTPException(422, str(exc)) from exc
        except ValueError as exc:
            raise HTTPException(422, "Invalid input file") from exc
        if asked.useDocOrientationClassify or asked.useDocUnwarping or asked.useTextlineOrientation:
            raise HTTPException(500, NO_MODEL)
        if asked.textDetLimitType not in (None, "min", "max"):
            raise HTTPException(500, "Internal server error")
        results = []
        for page in pages:
            lines = await self._seen(page)
            result = _result(lines, asked)
            if spoiled_by == "uneven":
                result["prunedResult"]["rec_scores"].append(0.5)
            if asked.visualize is not False:
                result |= {"ocrImage": image_in(page), "inputImage": image_in(page)}
            results.append(result)
        read = {"ocrResults": [] if spoiled_by == "empty" else results, "dataInfo": info}
        return JSONResponse({**_told(log_id, 0, "Success"), "result": read})

    async def _seen(self, page: Image.Image) -> list[Seen]:
        try:
            shown = await asyncio.to_thread(seen_in, page) if self.sees is None else self.sees
        except (OSError, subprocess.SubprocessError) as exc:
            raise HTTPException(500, "Internal server error") from exc
        return shown if self.has_cyrillic else [in_latin(line) for line in shown]


def _result(lines: list[Seen], asked: Asked) -> dict[str, Any]:
    least = asked.textRecScoreThresh or 0.0
    kept = [line for line in lines if line.score >= least]
    polygons = [line.polygon for line in kept]
    return {
        "prunedResult": {
            "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": False},
            "dt_polys": [line.polygon for line in lines],
            "text_det_params": {
                "limit_side_len": asked.textDetLimitSideLen or 64,
                "limit_type": asked.textDetLimitType or "min",
                "thresh": asked.textDetThresh or 0.3,
                "max_side_limit": 4000,
                "box_thresh": asked.textDetBoxThresh or 0.6,
                "unclip_ratio": asked.textDetUnclipRatio or 1.5,
            },
            "text_type": "general",
            "textline_orientation_angles": [-1] * len(lines),
            "text_rec_score_thresh": least,
            "return_word_box": bool(asked.returnWordBox),
            "rec_texts": [line.text for line in kept],
            "rec_scores": [line.score for line in kept],
            "rec_polys": polygons,
            "rec_boxes": [line.box for line in kept],
        }
    }


async def _instead(failure: Failure, request: Request) -> Response | None:
    """What a failure answers instead of the server; None when that comes to an answer."""
    if failure.kind == "slow":
        await asyncio.sleep(failure.delay_s)
    if failure.kind == "status":
        raise HTTPException(failure.status, f"switched-on failure {failure.status}")
    return await no_answer(failure, request)


async def _invalid(request: Request, error: Exception) -> Response:
    """A body that is not as it should be: what is wrong is JSON inside a text."""
    assert isinstance(error, RequestValidationError)
    told = [
        {"type": each["type"], "loc": _path(each["loc"]), "msg": each["msg"]}
        for each in error.errors()
    ]
    return JSONResponse(_told(await _log_id_of(request), 422, json.dumps(told)), status_code=422)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    body = _told(await _log_id_of(request), error.status_code, error.detail)
    return JSONResponse(body, status_code=error.status_code)


def _path(places: tuple[str | int, ...]) -> str:
    return "".join(
        f"[{place}]" if isinstance(place, int) else f".{place}" for place in places
    ).lstrip(".")


def _told(log_id: str, code: int, words: str) -> dict[str, Any]:
    return {"logId": log_id, "errorCode": code, "errorMsg": words}


def _log_id() -> str:
    return str(uuid.uuid4())


async def _log_id_of(request: Request) -> str:
    try:
        body = await request.json()
    except ValueError:
        return _log_id()
    named = body.get("logId") if isinstance(body, dict) else None
    return named if isinstance(named, str) and named else _log_id()
