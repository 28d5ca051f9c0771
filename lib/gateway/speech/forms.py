"""What a client of the speech service sends: a form with a file, and wishes."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from lib.domain.recordings import LIMIT_BYTES
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import FORMATS, Format
from lib.errors import Rejected
from lib.gateway.body import TooSlow, check_length

BODY_WITHIN_S = 600.0
FIELD_BYTES = 65_536
TEXT_CHARS = 500
_TRUE = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A form: its file is saved, or its recording is at ``url``."""

    wishes: JobWishes
    form: Format
    url: str | None
    callback_url: str | None
    client_ref: str | None


async def form_of(request: Request, into: Path) -> Asked:
    """Read a form, and save its file.

    Raises:
        TooLarge, TooSlow: as of every body.
        Rejected: it is no such form; the message names the field.
    """
    limited = _limited(request)
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            form = await limited.form(max_files=1, max_fields=50, max_part_size=FIELD_BYTES)
            file = form.get("file")
            if isinstance(file, UploadFile):
                await asyncio.to_thread(_save, file, into)
    except TimeoutError as exc:
        raise TooSlow(f"the body took more than {BODY_WITHIN_S:.0f} s") from exc
    except MultiPartException as exc:
        raise Rejected(f"the form cannot be read: {exc.message}") from exc
    except ClientDisconnect as exc:
        raise Rejected("the caller hung up") from exc
    try:
        if isinstance(file, UploadFile) and file.size == 0:
            raise Rejected("`file` is empty")
        return _asked(form, has_file=isinstance(file, UploadFile))
    finally:
        await form.close()


def _asked(form: FormData, *, has_file: bool) -> Asked:
    url = _text(form, "url")
    if has_file == (url is not None):
        raise Rejected("send either `file`, in multipart/form-data, or `url`")
    named = _text(form, "response_format") or "json"
    shape = next((each for each in FORMATS if each == named), None)
    if shape is None:
        raise Rejected(f"`response_format` is one of {', '.join(FORMATS)}")
    grains = {str(each) for each in form.getlist("timestamp_granularities[]")}
    if unknown := grains - {"word", "segment"}:
        raise Rejected(f"`timestamp_granularities[]` is word or segment, not {min(unknown)[:20]!r}")
    if (_text(form, "stream") or "").lower() in _TRUE:
        raise Rejected("`stream` is not known here: send a job, and ask for its progress")
    wishes: dict[str, Any] = {
        "language": _text(form, "language"),
        "words": "word" in grains,
        "stereo": (_text(form, "stereo") or "").lower() in _TRUE,
        "prompt": _text(form, "prompt", 1000),
    }
    try:
        known = JobWishes.model_validate(wishes)
    except ValidationError as exc:
        raise Rejected("`language` is a code of ISO 639-1, such as ru") from exc
    return Asked(known, shape, url, _text(form, "callback_url"), _text(form, "client_ref"))


def _text(form: FormData, name: str, chars: int = TEXT_CHARS) -> str | None:
    found = form.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str) or len(found) > chars or "\x00" in found:
        raise Rejected(f"`{name}` is a text of at most {chars} characters")
    return found


def _save(file: UploadFile, into: Path) -> None:
    with into.open("wb") as saved:
        shutil.copyfileobj(file.file, saved, 1 << 20)


def _limited(request: Request) -> Request:
    """The request, its body bounded; what is above the limit is not read."""
    too_large = check_length(request, LIMIT_BYTES)
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > LIMIT_BYTES:
            raise too_large
        return message

    return Request(request.scope, receive)
