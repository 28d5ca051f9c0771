"""Jobs of the speech service: what is wished, where a job stands, and when its caller is told.

Source: shared contract (202, polling, callback ``asr.completed``), Standard Webhooks (schedule of
repeats), read 2026-11-26.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.domain.transcripts import Transcript, detailed

State = Literal["queued", "running", "succeeded", "failed"]
STATES: tuple[State, ...] = ("queued", "running", "succeeded", "failed")
CALLBACK_PAUSES = (
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2)),
    *(timedelta(hours=5), timedelta(hours=10), timedelta(hours=14), timedelta(hours=20)),
    timedelta(hours=24),
)
GONE = 410  # the caller wants to hear no more


class JobWishes(BaseModel):
    """How a recording is to be listened to.

    Attributes:
        language: ISO 639-1; None: as it is heard.
        words: with the times of each word.
        stereo: a call: each channel is one who speaks.
        prompt: words that are likely in it, such as names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str | None = Field(default=None, pattern="^[a-z]{2,3}$")
    words: bool = False
    stereo: bool = False
    prompt: str | None = Field(default=None, max_length=1000)


class SpeechJob(BaseModel):
    """A job as it stands.

    Attributes:
        done_s, duration_s: how far it is, seconds of the recording; None: not known yet.
        error: why it failed.
        callback: whether its caller was told: waiting, sent, given up; None: nobody is to be told.
    """

    id: str
    state: State
    client_ref: str | None = None
    created_at: datetime
    ended_at: datetime | None = None
    done_s: float = 0.0
    duration_s: float | None = None
    error: str | None = None
    transcript: Transcript | None = None
    callback: str | None = None


def told(job: SpeechJob) -> dict[str, Any]:
    """A job for its caller: where it stands, and once it has ended what was said."""
    body: dict[str, Any] = {
        "job_id": job.id,
        "status": job.state,
        "client_ref": job.client_ref,
        "created_at": job.created_at.isoformat(),
        "progress": {"done_s": round(job.done_s, 1), "of_s": job.duration_s},
    }
    if job.callback is not None:
        body["callback"] = job.callback
    if job.error is not None:
        body["error"] = job.error
    if job.transcript is not None:
        body |= detailed(job.transcript)
    return body


def callback_body(job: SpeechJob, now: datetime) -> dict[str, Any]:
    """What the caller is told when a job has ended."""
    kind = "asr.completed" if job.state == "succeeded" else "asr.failed"
    return {"type": kind, "timestamp": now.isoformat(), "data": told(job)}


def next_callback(tries: int, jitter: float) -> timedelta | None:
    """The pause before a callback is tried again; None: it is given up.

    Args:
        tries: how many failed.
        jitter: 0 to 1; up to a tenth is added.
    """
    if tries > len(CALLBACK_PAUSES):
        return None
    return CALLBACK_PAUSES[tries - 1] * (1 + jitter / 10)
