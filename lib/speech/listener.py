"""Whisper on this machine, loaded once: recordings in, transcripts out.

Source: faster_whisper 1.2.1, read 2026-11-26.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.transcribe import Segment as Heard

from lib.domain.cutting import LONGEST_S, Span, by_speaker, joined, plan_parts
from lib.domain.transcripts import Segment, Transcript, Word
from lib.errors import Rejected
from lib.speech.recording import Recording

SPEAKERS = ("A", "B")
WINDOW_S = 30.0  # that the model hears at once

Progress = Callable[[float], None]
"""Told of seconds of speech and pauses that are done, of all channels together."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to listen to one recording.

    Attributes:
        language: ISO 639-1; None: that of the listener's manner.
        words: with the times of every word, which takes longer.
        prompt: words that are likely in it, such as names.
    """

    language: str | None = None
    words: bool = False
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a listener listens to every recording.

    Attributes:
        language: ISO 639-1; None: as the model hears it in the first half minute of speech.
        beam: candidates that are followed at once.
        skips_silence: no word is looked for in parts in which nobody speaks.
        batch: windows of a part that are heard together; 1: each with what was said before it.
    """

    language: str | None = None
    beam: int = 5
    skips_silence: bool = True
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of one channel that is listened to by itself."""

    channel: int
    span: Span


@dataclass(frozen=True, slots=True)
class Plan:
    """How a recording is listened to; without speech there are no parts."""

    language: str
    probability: float
    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        """Of all parts together."""
        return sum(part.span.seconds for part in self.parts)


class Listener:
    """One model.

    Args:
        weights: its folder.
        name: as transcripts name it.
        device: ``cpu`` or ``cuda``.
        compute_type: of its arithmetic: int8, float16 and so on.
        threads: for one part of a recording; 0: as many as there are cores, up to 4.
        workers: parts of a recording that are listened to at once.
        manner: how it listens.

    Raises:
        Rejected: there is no such device here, it has no such arithmetic, or the model does not
            know the manner's language.
    """

    def __init__(
        self,
        weights: Path,
        name: str,
        *,
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 0,
        workers: int = 1,
        manner: Manner | None = None,
    ) -> None:
        self.name = name
        self.workers = workers
        self._manner = manner or Manner()
        try:
            self._model = WhisperModel(
                str(weights),
                device=device,
                compute_type=compute_type,
                cpu_threads=threads,
                num_workers=workers,
                local_files_only=True,
            )
        except (ValueError, RuntimeError) as exc:  # CTranslate2 raises no others
            raise Rejected(f"no model on {device} with {compute_type}: {exc}") from exc
        self.check(self._manner.language)

    @property
    def languages(self) -> list[str]:
        """What it understands, ISO 639-1."""
        return list(self._model.supported_languages)

    def check(self, language: str | None) -> None:
        """Raise Rejected unless it understands a language."""
        if language is not None and language not in self.languages:
            raise Rejected(f"the model knows no language {language[:20]!r}: codes are such as ru")

    def heard(
        self, recording: Recording, wishes: Wishes, told: Progress = lambda _: None
    ) -> Transcript:
        """What is said in a recording; of two channels each is a speaker's.

        Raises:
            Rejected: the language is not one of the model's.
        """
        plan, done_s = self.plan(recording, wishes), 0.0
        found = []
        with ThreadPoolExecutor(self.workers) as pool:
            listened = pool.map(lambda part: self.listen(recording, plan, part, wishes), plan.parts)
            for part, segments in zip(plan.parts, listened, strict=True):
                found.append(segments)
                done_s += part.span.seconds
                told(done_s)
        told(recording.duration_s * recording.channels)
        return self.transcript(recording, plan, found)

    def plan(self, recording: Recording, wishes: Wishes) -> Plan:
        """How a recording is listened to, in parts that may be heard in any order.

        Raises:
            Rejected: the language is not one of the model's.
        """
        self.check(wishes.language)
        speech = [recording.speech(channel) for channel in range(recording.channels)]
        longest_s = max(LONGEST_S, WINDOW_S * self._manner.batch)
        language, probability = self._language(recording, speech, wishes)
        parts = [
            Part(channel, span)
            for channel, spans in enumerate(speech)
            for span in plan_parts(recording.duration_s, spans, longest_s)
            if _has(span, spans) or not self._manner.skips_silence
        ]
        return Plan(language, probability, tuple(parts))

    def listen(self, recording: Recording, plan: Plan, part: Part, wishes: Wishes) -> list[Segment]:
        """What is said in one part, by its own clock."""
        options = {
            "language": plan.language,
            "beam_size": self._manner.beam,
            "word_timestamps": wishes.words,
            "initial_prompt": wishes.prompt,
            # Inside a part, too: 17.9 % of the words of 50 sentences are wrong with it, else 18.7.
            "vad_filter": self._manner.skips_silence,
        }
        sound = recording.piece(part.span, part.channel)
        if self._manner.batch > 1:  # a pipeline keeps notes of its part: each has its own
            batched = BatchedInferencePipeline(self._model)
            options |= {"batch_size": self._manner.batch, "without_timestamps": False}
            found, _ = batched.transcribe(sound, **options)
        else:
            found, _ = self._model.transcribe(sound, **options)
        return [_segment(each) for each in found]

    def transcript(
        self, recording: Recording, plan: Plan, found: Sequence[Sequence[Segment]]
    ) -> Transcript:
        """The whole, of what was heard in each part."""
        channels = [
            joined(
                (part.span, segments)
                for part, segments in zip(plan.parts, found, strict=True)
                if part.channel == channel
            )
            for channel in range(recording.channels)
        ]
        return Transcript(
            language=plan.language,
            language_probability=plan.probability,
            duration_s=recording.duration_s,
            segments=channels[0] if len(channels) == 1 else by_speaker(channels, SPEAKERS),
            model=self.name,
        )

    def _language(
        self, recording: Recording, speech: Sequence[Sequence[Span]], wishes: Wishes
    ) -> tuple[str, float]:
        if named := wishes.language or self._manner.language:
            return named, 1.0
        first = min(
            ((spans[0], channel) for channel, spans in enumerate(speech) if spans),
            key=lambda found: found[0].start_s,
            default=None,
        )
        if first is None and self._manner.skips_silence:
            return "", 0.0
        span, channel = first or (Span(0.0, 0.0), 0)
        end_s = min(span.start_s + WINDOW_S, recording.duration_s)
        sound = recording.piece(Span(span.start_s, end_s), channel)
        language, probability, _ = self._model.detect_language(sound)
        return language, probability


def _has(part: Span, speech: Sequence[Span]) -> bool:
    return any(span.start_s < part.end_s and span.end_s > part.start_s for span in speech)


def _segment(heard: Heard) -> Segment:
    words = tuple(
        Word(start_s=word.start, end_s=word.end, text=word.word, probability=word.probability)
        for word in heard.words or ()
    )
    return Segment(
        start_s=heard.start,
        end_s=heard.end,
        text=heard.text,
        confidence=math.exp(min(0.0, heard.avg_logprob)),
        no_speech=heard.no_speech_prob,
        words=words,
    )
