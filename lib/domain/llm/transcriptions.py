"""Transcriptions: what /v1/audio/transcriptions is asked, and what a transcript is of its answer.

OpenAI, Groq, OpenRouter and servers like OpenAI's take one form. They judge a file by its name.

Source: platform.openai.com/docs/api-reference/audio/createTranscription,
console.groq.com/docs/speech-to-text, openrouter.ai/docs (CreateAudioTranscriptionsMultipart),
read 2026-11-26; Groq's refusals of ``.oga`` and of long prompts from chigwell/telegram-mcp#219 and
OpenWhispr/openwhispr#405, read 2026-11-26.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lib.domain.llm.dialects import Stamp
from lib.domain.llm.exchange import Ask, Exchange, Form, Streaming, Whole
from lib.domain.llm.raw import object_of
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.table import HEARING, Candidate, Kind
from lib.domain.llm.usage import usage_from
from lib.domain.llm.wire import SSE_MEDIA
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcript_reading import transcript_from

DOOR = "audio/transcriptions"
PATH = "/audio/transcriptions"
MB = 1 << 20
LIMITS_MB: dict[Kind, int] = {"groq": 25, "openrouter": 25}  # Groq's free tier; its dev tier: 100
PROMPT_CHARS: dict[Kind, int] = {"groq": 896, "openrouter": 0}  # OpenRouter's form has none
VERBOSE = "verbose_json"
_BEGINS = (
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (8, b"WAVE", "wav"),
    (0, b"ID3", "mp3"),
    (0, b"\x1a\x45\xdf\xa3", "webm"),
    (4, b"ftypM4A", "m4a"),
    (4, b"ftyp", "mp4"),
)


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording as it lies on the disk.

    Attributes:
        head: its first dozen of bytes or more, which say what it is.
    """

    path: Path
    size_bytes: int
    head: bytes


def transcription(name: str, sound: Sound, wishes: JobWishes) -> Ask:
    """A recording for whoever hears for an alias.

    Returns:
        Its answer is the JSON of a `Transcript`.
    """

    def exchange(kind: Kind, candidate: Candidate, stamp: Stamp) -> Exchange:
        if kind not in HEARING:
            raise NotForThisModel("it hears no recordings")
        limit_mb = candidate.limit_mb or LIMITS_MB.get(kind)
        if limit_mb is not None and sound.size_bytes > limit_mb * MB:
            size_mb = sound.size_bytes / MB
            raise NotForThisModel(f"the file has {size_mb:.1f} MB, and it takes {limit_mb}")
        fields = fields_from(kind, candidate, wishes)
        form = Form(fields, sound.path, filename_of(sound))

        def whole(raw: bytes) -> Whole:
            answer = object_of(raw)
            found = transcript_from(answer, candidate.model, wishes.language)
            used = replace(usage_from(answer.get("usage")), sound_s=found.duration_s)
            return Whole(found.model_dump_json().encode(), used)

        return Exchange(PATH, b"", whole, _no_stream, form=form)

    return Ask(
        DOOR, name, False, SSE_MEDIA, exchange, lambda *_: b"", None, {}, gives="transcripts"
    )


def fields_from(kind: Kind, candidate: Candidate, wishes: JobWishes) -> tuple[tuple[str, str], ...]:
    """The fields of a form, without its file.

    The table's ``extra`` counts over ours: a model that knows no times takes
    ``extra: { response_format: json }``.
    """
    prompt = wishes.prompt or ""
    if (longest := PROMPT_CHARS.get(kind)) is not None:
        prompt = prompt[:longest]
    fields = {"model": candidate.model, "response_format": VERBOSE}
    fields |= {"language": wishes.language} if wishes.language else {}
    fields |= {"prompt": prompt} if prompt else {}
    fields |= {name: _plain(value) for name, value in (candidate.extra or {}).items()}
    grains = ("segment", "word") if wishes.words else ("segment",)
    times = [("timestamp_granularities[]", grain) for grain in grains]
    return (*fields.items(), *(times if fields["response_format"] == VERBOSE else ()))


def filename_of(sound: Sound) -> str:
    """What a recording is called to a provider: by what it is, and never by a person's name.

    Telegram's ``.oga`` and files without an ending would be refused for their names alone.
    """
    for at, word, ending in _BEGINS:
        if sound.head[at : at + len(word)] == word:
            return f"sound.{ending}"
    if sound.head[:1] == b"\xff" and sound.head[1:2] >= b"\xe0":
        return "sound.mp3"  # a frame of MPEG without tags
    ending = sound.path.suffix.lower()
    return f"sound{ending if ending.isascii() and ending[1:].isalnum() else '.bin'}"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _no_stream() -> Streaming:
    raise NotForThisModel("transcripts do not stream")
