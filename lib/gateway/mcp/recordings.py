"""Tools that have recordings heard by the speech service."""

from __future__ import annotations

import asyncio
import base64
import binascii
import tempfile
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastmcp import FastMCP
from pydantic import Field

from lib.clients.speech import JobSeen, Speech
from lib.domain.speech_jobs import JobWishes
from lib.errors import Rejected
from lib.gateway.mcp.caller import told
from lib.gateway.mcp.following import WAIT_S, Progress
from lib.gateway.mcp.house import House
from lib.gateway.mcp.runs import BEGINS, LOOKS

LIMIT_BYTES = 2_500_000  # as base64 it has to pass the door in one message, which is 4 MB at most

Wait = Annotated[bool, Field(description=f"Until it was heard, {WAIT_S:.0f} s at most.")]


class RecordingTools:
    """``transcribe`` and ``transcription``."""

    def __init__(self, house: House) -> None:
        self._house = house

    def add_to(self, server: FastMCP[Any]) -> None:
        """Have a server offer them, each to those who have its scope."""
        server.tool(self.transcribe, tags={"run"}, annotations=BEGINS)
        server.tool(self.transcription, tags={"read"}, annotations=LOOKS)

    async def transcribe(
        self,
        url: Annotated[
            str | None,
            Field(max_length=500, description="Where it is: https, on the public internet."),
        ] = None,
        recording_base64: Annotated[
            str | None,
            Field(
                description=f"Or itself, of {LIMIT_BYTES / 1e6:g} MB at most. Any sound or film."
            ),
        ] = None,
        language: Annotated[
            str | None,
            Field(pattern="^[a-z]{2,3}$", description="Such as ru; else as it is heard."),
        ] = None,
        stereo: Annotated[
            bool, Field(description="A call: each channel is one who speaks.")
        ] = False,
        wait: Wait = False,
    ) -> dict[str, Any]:
        """Have a recording written down. Answers at once with a job's id for `transcription`."""
        wishes = JobWishes(language=language, stereo=stereo)
        with told():
            if (url is None) == (recording_base64 is None):
                raise Rejected("give either `url` or `recording_base64`")
            speech = await self._house.speech()
            key, ref = str(uuid4()), f"mcp:{self._house.callers.now().name}"
            if url is not None:
                job_id = await speech.submit_url(url, wishes, key=key, ref=ref)
            else:
                sound = _bytes_of(recording_base64 or "")
                job_id = await _submit(speech, sound, wishes, key, ref)
            return await _heard(self._house, speech, job_id, WAIT_S if wait else 0.0)

    async def transcription(
        self,
        job_id: Annotated[UUID, Field(description="As `transcribe` gave it.")],
        wait: Wait = False,
    ) -> dict[str, Any]:
        """What is said in a recording, with times; or how far it was heard. Personal data."""
        with told():
            speech = await self._house.speech()
            return await _heard(self._house, speech, job_id, WAIT_S if wait else 0.0)


async def _submit(speech: Speech, sound: bytes, wishes: JobWishes, key: str, ref: str) -> UUID:
    with tempfile.TemporaryDirectory(prefix="potok-mcp-") as folder:
        file = Path(folder) / "recording"
        await asyncio.to_thread(file.write_bytes, sound)
        return await speech.submit(file, wishes, key=key, ref=ref, callback_url=None)


def _bytes_of(recording: str) -> bytes:
    _, _, plain = recording.rpartition("base64,")  # some send it as a data: URL
    if len(plain) > LIMIT_BYTES * 4 // 3 + 4:
        raise Rejected(f"the recording is above {LIMIT_BYTES} bytes: give its `url`")
    try:
        sound = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("`recording_base64` is no base64") from None
    if not sound:
        raise Rejected("the recording is empty")
    return sound


async def _heard(house: House, speech: Speech, job_id: UUID, within_s: float) -> dict[str, Any]:
    async def look() -> tuple[dict[str, Any], Progress | None]:
        job = await speech.fetch(job_id)
        if job is None:
            raise Rejected(f"the speech service has no job {job_id}")
        words = f"{job.done_s:.0f} of {job.of_s:.0f} s" if job.of_s else "waits for its turn"
        progress = None if job.result is not None else (job.done_s, job.of_s or None, words)
        return _seen(job_id, job), progress

    return await house.following.follow(look, within_s) if within_s > 0 else (await look())[0]


def _seen(job_id: UUID, job: JobSeen) -> dict[str, Any]:
    seen: dict[str, Any] = {"job_id": str(job_id)}
    if job.result is None:
        return seen | {"state": "waits or is heard", "done_s": job.done_s, "of_s": job.of_s}
    if isinstance(job.result, str):
        return seen | {"state": "failed", "error": job.result}
    said = job.result
    segments = [
        {"start_s": s.start_s, "end_s": s.end_s, "text": s.text.strip()}
        | ({"speaker": s.speaker} if s.speaker else {})
        for s in said.segments
    ]
    facts = {"language": said.language, "seconds": said.duration_s, "model": said.model}
    return seen | {"state": "done", "text": said.text} | facts | {"segments": segments}
