"""A recording decoded to PCM on disk, read piece by piece: memory does not grow with its length.

Source: pyav.basswood-io.com (AudioResampler), faster_whisper 1.2.1, read 2026-11-26.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps

from lib.domain.cutting import Span
from lib.errors import Rejected

RATE_HZ = 16_000
SAMPLE_BYTES = 2
BLOCK_S = 120.0  # for the look for silences, which takes 1 MB a second
SILENCE_MS = 300
LONGEST_S = 4 * 3600.0

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound: int16 PCM, 16 kHz, its channels interleaved, in a file that the caller deletes.

    Attributes:
        channels: 1 or 2.
        duration_s: seconds.
    """

    pcm: Path
    channels: int
    duration_s: float

    def piece(self, span: Span, channel: int = 0) -> Samples:
        """A piece of one channel.

        Returns:
            float32[n], 16 kHz, −1..1.
        """
        first, last = (round(at * RATE_HZ) for at in (span.start_s, span.end_s))
        frame_bytes = SAMPLE_BYTES * self.channels
        with self.pcm.open("rb") as file:
            file.seek(first * frame_bytes)
            raw = file.read((last - first) * frame_bytes)
        frames = np.frombuffer(raw, dtype="<i2").reshape(-1, self.channels)
        return frames[:, channel].astype(np.float32) / 32768.0

    def speech(self, channel: int = 0) -> list[Span]:
        """Where somebody speaks, in order."""
        found: list[Span] = []
        at_s = 0.0
        while at_s < self.duration_s:
            block = Span(at_s, min(at_s + BLOCK_S, self.duration_s))
            wishes = VadOptions(min_silence_duration_ms=SILENCE_MS, speech_pad_ms=100)
            for each in get_speech_timestamps(self.piece(block, channel), wishes):
                start_s, end_s = (at_s + each[key] / RATE_HZ for key in ("start", "end"))
                found.append(Span(start_s, min(end_s, block.end_s)))
            at_s = block.end_s
        return found


def decoded(
    source: Path | BinaryIO, pcm: Path, *, stereo: bool = False, longest_s: float = LONGEST_S
) -> Recording:
    """Decode any sound file that FFmpeg knows; of a film its sound.

    Args:
        source: the file.
        pcm: where the sound goes.
        stereo: keep two channels apart, as of a call; one of mono has one all the same.
        longest_s: seconds that it may have.

    Raises:
        Rejected: it is no sound, has none in it, or is longer.
    """
    try:
        with av.open(source, "r", metadata_errors="ignore") as container, pcm.open("wb") as file:
            if not container.streams.audio:
                raise Rejected("there is no sound in the file")
            stream = container.streams.audio[0]
            channels = 2 if stereo and (stream.channels or 1) >= 2 else 1
            frames = _written(container, stream, channels, file, longest_s)
    except av.error.FFmpegError as exc:
        raise Rejected(f"the file is no sound that can be read ({type(exc).__name__})") from exc
    if frames == 0:
        raise Rejected("there is no sound in the file: 0 seconds")
    return Recording(pcm, channels, frames / RATE_HZ)


def _written(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    channels: int,
    file: BinaryIO,
    longest_s: float,
) -> int:
    """Write the sound; a file that breaks off is as long as what could be read of it."""
    layout = "stereo" if channels == 2 else "mono"
    resampler = av.AudioResampler(format="s16", layout=layout, rate=RATE_HZ)
    frames = 0
    packets = container.demux(stream)
    while (packet := next(packets, None)) is not None:
        try:
            heard = packet.decode()
        except av.error.InvalidDataError:  # a packet that is spoiled: the next may be good
            continue
        for frame in heard:
            for resampled in resampler.resample(frame):
                file.write(resampled.to_ndarray().tobytes())
                frames += resampled.samples
        if frames > longest_s * RATE_HZ:
            raise Rejected(f"the recording is longer than {longest_s / 3600:g} hours")
    for resampled in resampler.resample(None):
        file.write(resampled.to_ndarray().tobytes())
        frames += resampled.samples
    return frames
