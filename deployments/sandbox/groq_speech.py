"""Groq's transcriptions: a form with a recording, and what is said to be heard in it.

Control: ``POST /control/groq/speech`` with ``{"text", "language", "limit_mb"}``, each optional:
what is heard in every recording, its language by Whisper's name, the largest file; until ``reset``.

Source: console.groq.com/docs/speech-to-text; refusals from chigwell/telegram-mcp#219,
OpenWhispr/openwhispr#405 and WEIFENG2333/VideoCaptioner#724; all read 2026-11-26.
"""

from __future__ import annotations

import io
import wave
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from deployments.sandbox.model_door import Recording
from deployments.sandbox.model_reading import check
from deployments.sandbox.model_stream import Reply, document
from deployments.sandbox.model_talk import Json
from deployments.sandbox.refusals import Refused

MODELS = ("whisper-large-v3", "whisper-large-v3-turbo")
SENTENCE = "Здравствуйте, меня интересует лизинг оборудования, перезвоните мне, пожалуйста."
PROMPT_CHARS = 896
_MB = 1 << 20
_ENDINGS = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "opus", "wav", "webm")
_FORMS = ("json", "text", "verbose_json")
_GRAINS = ("segment", "word")
_BYTES_A_SECOND = 4_000  # of a compressed recording: 32 kbit/s
_LEAST_S = 0.01
_BEGINS = (b"OggS", b"fLaC", b"RIFF", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\x1a\x45\xdf\xa3")


class Hearing(BaseModel):
    """What is heard in every recording.

    Attributes:
        language: as Whisper names it.
        limit_mb: the largest file; 25 is that of the free tier.
    """

    model_config = ConfigDict(extra="forbid")

    text: str = SENTENCE
    language: str = "Russian"
    limit_mb: int = Field(default=25, ge=1, le=1000)

    def answer(self, body: Json, number: int, *, is_empty: bool = False) -> Reply:
        """What the vendor answers to a form.

        Args:
            body: its fields.
            number: of the request.
            is_empty: without anything in it.

        Raises:
            Refused: it is none that the vendor takes.
        """
        sound = self._sound(body)
        form = body.get("response_format", "json")
        grains = body.get("timestamp_granularities[]", [])
        _check_fields(body, form, grains)
        seconds = _seconds(sound.content)
        if seconds < _LEAST_S:
            words = f"Audio file is too short. Minimum audio length is {_LEAST_S} seconds."
            raise Refused(400, words, "audio_too_short")
        if is_empty:
            return document({})
        if form == "text":
            return Reply([self.text.encode(), b"\n"], "text/plain")
        known = {"text": f" {self.text}", "x_groq": {"id": f"req_{number}"}}
        return document(known if form == "json" else known | self._verbose(seconds, grains))

    def _sound(self, body: Json) -> Recording:
        sound = body.get("file")
        if not isinstance(sound, Recording):
            raise Refused(400, "one of file or url must be provided")
        if len(sound.content) > self.limit_mb * _MB:
            raise Refused(413, "Request Entity Too Large", "request_too_large")
        if sound.name.rpartition(".")[2] not in _ENDINGS:
            words = f"file must be one of the following types: [{' '.join(_ENDINGS)}]"
            raise Refused(400, words, "unsupported_audio_format")
        head = sound.content[:8]
        if not head.startswith(_BEGINS) and head[4:] != b"ftyp":
            raise Refused(400, "could not process file - is it a valid media file?")
        return sound

    def _verbose(self, seconds: float, grains: list[str]) -> Json:
        words = self.text.split()
        step = seconds / max(len(words), 1)
        segment = {
            "id": 0,
            "seek": 0,
            "start": 0,
            "end": seconds,
            "text": f" {self.text}",
            "tokens": [50365],
            "temperature": 0,
            "avg_logprob": -0.125,
            "compression_ratio": 1.25,
            "no_speech_prob": 0.01,
        }
        told: Json = {"task": "transcribe", "language": self.language, "duration": seconds}
        if "segment" in grains or not grains:
            told["segments"] = [segment] if words else []
        if "word" in grains:
            told["words"] = [
                {"word": word, "start": round(step * at, 2), "end": round(step * (at + 1), 2)}
                for at, word in enumerate(words)
            ]
        return told


def hearing_from(raw: bytes) -> Hearing:
    """What the control surface is told.

    Raises:
        ValueError: it is something else.
    """
    return Hearing.model_validate(orjson.loads(raw))


def _check_fields(body: Json, form: Any, grains: list[str]) -> None:
    check(form in _FORMS, f"response_format must be one of [{' '.join(_FORMS)}]")
    for grain in grains:
        check(grain in _GRAINS, f"timestamp_granularities must be one of [{' '.join(_GRAINS)}]")
    check(
        not grains or form == "verbose_json",
        "timestamp_granularities is only supported with response_format `verbose_json`",
    )
    language = body.get("language", "ru")
    check(len(language) in (2, 3) and language.islower(), "language must be one of [en zh ru …]")
    chars = len(body.get("prompt", ""))
    check(
        chars <= PROMPT_CHARS,
        f"prompt length must be {PROMPT_CHARS} characters or fewer, but provided prompt contains"
        f" {chars} characters",
    )


def _seconds(content: bytes) -> float:
    """About how long a recording is; of a WAV exactly."""
    if content.startswith(b"RIFF"):
        try:
            with wave.open(io.BytesIO(content)) as sound:
                return float(sound.getnframes() / sound.getframerate())
        except (wave.Error, EOFError, ZeroDivisionError):
            raise Refused(400, "could not process file - is it a valid media file?") from None
    return round(len(content) / _BYTES_A_SECOND, 2)
