"""What was said in a recording, with times; and how it is written down: text, SRT, WebVTT, JSON.

Source: platform.openai.com/docs/api-reference/audio (verbose_json), w3.org/TR/webvtt1,
en.wikipedia.org/wiki/SubRip, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
FORMATS: tuple[Format, ...] = ("json", "text", "srt", "vtt", "verbose_json")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Word(_Part):
    """A word, from ``start_s`` to ``end_s`` of the recording, and how sure the model is, 0 to 1."""

    start_s: float
    end_s: float
    text: str
    probability: float


class Segment(_Part):
    """A sentence or so.

    Attributes:
        confidence: the mean probability of its tokens, 0 to 1.
        no_speech: how probable it is that nobody speaks, 0 to 1.
        speaker: who speaks, where the recording has a channel for each; None: not known.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float = 1.0
    no_speech: float = 0.0
    words: tuple[Word, ...] = ()
    speaker: str | None = None

    def moved(self, by_s: float) -> Segment:
        """The same, so much later."""
        words = tuple(
            word.model_copy(update={"start_s": word.start_s + by_s, "end_s": word.end_s + by_s})
            for word in self.words
        )
        times = {"start_s": self.start_s + by_s, "end_s": self.end_s + by_s, "words": words}
        return self.model_copy(update=times)


class Transcript(_Part):
    """A whole recording.

    Attributes:
        language: ISO 639-1; ``language_probability``: how sure the model is of it, 0 to 1.
        duration_s: of the recording.
        model: who listened.
    """

    language: str
    language_probability: float
    duration_s: float
    segments: tuple[Segment, ...]
    model: str

    @property
    def text(self) -> str:
        """All words; "" when nobody speaks."""
        return " ".join(text for s in self.segments if (text := s.text.strip()))


def written(transcript: Transcript, form: Format, *, words: bool = False) -> str | dict[str, Any]:
    """A transcript in one of OpenAI's formats: a text, or an object for JSON.

    Args:
        transcript: what was said.
        form: ``json`` and ``verbose_json`` give an object.
        words: with ``verbose_json``, list the words too.
    """
    if form == "json":
        return {"text": transcript.text}
    if form == "verbose_json":
        return _verbose(transcript, words=words)
    if form == "text":
        return transcript.text + "\n"
    return srt_from(transcript.segments) if form == "srt" else vtt_from(transcript.segments)


def detailed(transcript: Transcript) -> dict[str, Any]:
    """All of a transcript for JSON: ``verbose_json`` whose segments have their words in them."""
    segments = [
        _segment(number, segment) | {"words": [_word(word) for word in segment.words]}
        for number, segment in enumerate(transcript.segments)
    ]
    sure = round(transcript.language_probability, 4)
    more = {"language_probability": sure, "model": transcript.model, "segments": segments}
    return _verbose(transcript, words=False) | more


def read_detailed(body: Mapping[str, Any]) -> Transcript:
    """The transcript that `detailed` was given.

    Raises:
        KeyError, TypeError, ValueError: it is of another shape.
    """
    return Transcript(
        language=body["language"],
        language_probability=body["language_probability"],
        duration_s=body["duration"],
        segments=tuple(
            Segment(
                start_s=each["start"],
                end_s=each["end"],
                text=each["text"],
                confidence=each["confidence"],
                no_speech=each["no_speech_prob"],
                words=tuple(
                    Word(
                        start_s=word["start"],
                        end_s=word["end"],
                        text=word["word"],
                        probability=word["probability"],
                    )
                    for word in each["words"]
                ),
                speaker=each.get("speaker"),
            )
            for each in body["segments"]
        ),
        model=body["model"],
    )


def srt_from(segments: Sequence[Segment]) -> str:
    """Subtitles in SubRip."""
    cues = [
        f"{number}\n{_time(s.start_s, ',')} --> {_time(s.end_s, ',')}\n{_line(s)}\n"
        for number, s in enumerate(segments, 1)
    ]
    return "\n".join(cues)


def vtt_from(segments: Sequence[Segment]) -> str:
    """Subtitles in WebVTT; its three characters of markup are escaped."""
    cues = [
        f"{_time(s.start_s, '.')} --> {_time(s.end_s, '.')}\n{_escaped(_line(s))}\n"
        for s in segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _verbose(transcript: Transcript, *, words: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "segments": [_segment(number, each) for number, each in enumerate(transcript.segments)],
    }
    if words:
        body["words"] = [_word(word) for each in transcript.segments for word in each.words]
    return body


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
        "no_speech_prob": round(segment.no_speech, 4),
        "confidence": round(segment.confidence, 4),
        **({"speaker": segment.speaker} if segment.speaker else {}),
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": round(word.probability, 4),
    }


def _line(segment: Segment) -> str:
    """A cue's text in one line: an empty line would end the cue, ``-->`` begin another."""
    text = " ".join(segment.text.split()).replace("-->", "→")
    return f"{segment.speaker}: {text}" if segment.speaker else text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and milliseconds."""
    ms = max(0, round(seconds * 1000))
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
