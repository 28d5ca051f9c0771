"""How well the speech service hears, beside the bare model; half an hour in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.speech_service import Bare, Service, bare_of, service_of
from tests.bench.speech_sounds import Sound, english, joined, russian
from tests.speech.errors import distance, words_of

EVERY = 12  # of 620 sentences, from the first on: a rule that knows no result
RECORDINGS = 50
PAUSE_S = 1.5
LONG_S = (300.0, 1800.0)
QUICK_S = (60.0, 300.0)


@dataclass(slots=True)
class Errors:
    """What was heard wrongly, of all recordings together."""

    words: int = 0
    wrong_words: int = 0
    characters: int = 0
    wrong_characters: int = 0

    def add(self, said: str, heard: str) -> None:
        """One recording more; lower case, no punctuation, no ё."""
        one, other = words_of(said), words_of(heard)
        self.words += len(one)
        self.wrong_words += distance(one, other)
        self.characters += len(" ".join(one))
        self.wrong_characters += distance(" ".join(one), " ".join(other))

    @property
    def word_rate(self) -> float:
        """WER."""
        return self.wrong_words / self.words

    @property
    def character_rate(self) -> float:
        """CER."""
        return self.wrong_characters / self.characters


async def measure(house: House, options: Options) -> Sample:
    """Recordings whose words are known, then a short and a long one."""
    russians = await asyncio.to_thread(russian)
    chosen = russians[::EVERY][: 10 if options.is_quick else RECORDINGS]
    lengths = QUICK_S if options.is_quick else LONG_S
    folder = house.settings.home
    async with service_of(house) as service:
        await service.start(chosen[0].path)
        async with bare_of(house) as bare:
            ru, ru_bare = await _errors(service, bare, chosen, "ru")
            en, en_bare = await _errors(service, bare, await asyncio.to_thread(english), "en")
        figures = {
            "listening.ru_cer_percent": 100 * ru.character_rate,
            "listening.ru_wer_percent": 100 * ru.word_rate,
            "listening.ru_bare_cer_percent": 100 * ru_bare.character_rate,
            "listening.ru_bare_wer_percent": 100 * ru_bare.word_rate,
            "listening.en_wer_percent": 100 * en.word_rate,
            "listening.en_bare_wer_percent": 100 * en_bare.word_rate,
        }
        figures |= {"listening.rest_mb": service.memory_mb()}
        peaks = []
        for seconds in lengths:
            sound = joined(russians, seconds, PAUSE_S, folder / f"{seconds:.0f}.wav")
            peak_mb, realtime = await _long(service, sound)
            options.say(f"{seconds:.0f} s: peak {peak_mb:.0f} MB, {realtime:.3f} of its length")
            peaks.append(peak_mb)
            figures |= {"listening.peak_mb": peak_mb, "listening.realtime": realtime}
        figures["listening.growth"] = peaks[-1] / peaks[0]
    notes = [f"{len(chosen)} recordings, {ru.words} words; {en.words} words in English"]
    notes += [f"peak RSS: {mb:.0f} MB of {s:.0f} s" for mb, s in zip(peaks, lengths, strict=True)]
    return Sample(figures, notes)


async def _errors(
    service: Service, bare: Bare, sounds: Sequence[Sound], language: str
) -> tuple[Errors, Errors]:
    own, others = Errors(), Errors()
    for sound in sounds:
        own.add(sound.said, (await service.heard(sound.path, language))[1])
        others.add(sound.said, (await bare.heard(sound.path, language))[1])
    return own, others


async def _long(service: Service, sound: Sound) -> tuple[float, float]:
    """The peak of memory, and the time as a part of the recording's."""
    service.forget_peak()
    took_s, text = await service.heard(sound.path, "ru")
    if len(words_of(text)) < 0.8 * len(words_of(sound.said)):
        raise RuntimeError("words of the long recording are missing")
    return service.peak_mb(), took_s / sound.seconds
