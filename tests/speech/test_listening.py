"""Real speech through the real model."""

from __future__ import annotations

import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from lib.domain.cutting import Span
from lib.errors import Rejected
from lib.speech import weights as weights_module
from lib.speech.listener import Listener, Manner, Wishes
from lib.speech.recording import RATE_HZ, Recording, decoded
from lib.speech.weights import ensure_weights

from .conftest import DATA, SAID
from .errors import character_errors, word_errors


def sound(path: Path, *pieces: np.ndarray, channels: int = 1) -> Path:
    """A WAV file of float pieces, one after the other; of two channels interleaved."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.concatenate(pieces) * 32767).astype("<i2").tobytes())
    return path


def clip(name: str, folder: Path) -> np.ndarray:
    recording = decoded(DATA / name, folder / "clip.pcm")
    return recording.piece(Span(0, recording.duration_s))


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@pytest.mark.parametrize("name", SAID)
def test_a_recording_is_understood(listener: Listener, tmp_path: Path, name: str) -> None:
    recording = decoded(DATA / name, tmp_path / "sound.pcm")
    heard = listener.heard(recording, Wishes())
    assert heard.language == "ru"
    assert character_errors(SAID[name], heard.text) < 0.05
    assert word_errors(SAID[name], heard.text) < 0.2
    assert 0 < heard.segments[0].confidence <= 1
    assert heard.segments[-1].end_s <= recording.duration_s


def test_words_have_times(listener: Listener, tmp_path: Path) -> None:
    recording = decoded(DATA / "ru_0039.ogg", tmp_path / "sound.pcm")
    heard = listener.heard(recording, Wishes("ru", words=True))
    words = [word for segment in heard.segments for word in segment.words]
    assert "".join(word.text for word in words).strip() == heard.text
    starts = [word.start_s for word in words]
    assert starts == sorted(starts)
    assert all(0 <= word.start_s <= word.end_s <= recording.duration_s for word in words)


def test_a_recording_in_parts_is_as_one(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words, once each, with the times of the whole."""
    names = ["ru_0039.ogg", "ru_0032.ogg", "ru_0039.ogg"]
    clips = [clip(name, tmp_path) for name in names]
    pieces = [piece for one in clips for piece in (one, silence(2))]
    recording = decoded(sound(tmp_path / "long.wav", *pieces), tmp_path / "sound.pcm")
    for length in ("LONGEST_S", "WINDOW_S"):
        monkeypatch.setattr(f"lib.speech.listener.{length}", 8)
    told: list[float] = []
    heard = listener.heard(recording, Wishes("ru"), told.append)
    assert word_errors(" ".join(SAID[name] for name in names), heard.text) < 0.3
    last = [segment for segment in heard.segments if "барышн" in segment.text][-1]
    assert last.start_s >= sum(len(one) for one in clips[:2]) / RATE_HZ + 2
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == pytest.approx(recording.duration_s)


def test_each_channel_of_a_call_is_a_speaker(listener: Listener, tmp_path: Path) -> None:
    one, other = clip("ru_0039.ogg", tmp_path), clip("ru_0032.ogg", tmp_path)
    left = np.concatenate([one, silence(1), np.zeros_like(other)])
    right = np.concatenate([np.zeros_like(one), silence(1), other])
    call = sound(tmp_path / "call.wav", np.stack([left, right], 1).ravel(), channels=2)
    recording = decoded(call, tmp_path / "sound.pcm", stereo=True)
    heard = listener.heard(recording, Wishes("ru"))
    assert [segment.speaker for segment in heard.segments] == ["A", "B"]
    assert word_errors(SAID["ru_0039.ogg"], heard.segments[0].text) < 0.2
    mono = decoded(call, tmp_path / "mono.pcm")
    assert (mono.channels, recording.channels) == (1, 2)


def test_silence_has_no_words(listener: Listener, tmp_path: Path) -> None:
    quiet = sound(tmp_path / "a.wav", silence(20))
    heard = listener.heard(decoded(quiet, tmp_path / "sound.pcm"), Wishes())
    assert (heard.text, heard.language, heard.segments, heard.duration_s) == ("", "", (), 20)


def test_a_listener_may_hear_everything(weights: Path, tmp_path: Path) -> None:
    """Also where nobody seems to speak; the parts stay within bounds."""
    everything = Listener(weights, "base", manner=Manner(beam=1, skips_silence=False))
    recording = decoded(sound(tmp_path / "a.wav", silence(250)), tmp_path / "sound.pcm")
    plan = everything.plan(recording, Wishes("ru"))
    assert sum(part.span.seconds for part in plan.parts) == pytest.approx(250)
    assert max(part.span.seconds for part in plan.parts) <= 120
    assert everything.plan(recording, Wishes()).language in everything.languages


def test_windows_heard_together_say_the_same(weights: Path, tmp_path: Path) -> None:
    """Of more than one window; with the times of the whole."""
    batched = Listener(weights, "base", manner=Manner(language="ru", batch=4))
    names = ["ru_0039.ogg", "ru_0032.ogg", "ru_0037.ogg", "ru_0039.ogg", "ru_0032.ogg"]
    pieces = [piece for name in names for piece in (clip(name, tmp_path), silence(1))]
    recording = decoded(sound(tmp_path / "a.wav", *pieces), tmp_path / "sound.pcm")
    assert recording.duration_s > 30
    heard = batched.heard(recording, Wishes(words=True))
    assert heard.language == "ru"
    assert word_errors(" ".join(SAID[name] for name in names), heard.text) < 0.3
    starts = [word.start_s for segment in heard.segments for word in segment.words]
    assert starts == sorted(starts)
    assert starts[-1] > 30


@pytest.mark.parametrize(
    ("manner", "device", "compute_type", "told"),
    [
        (Manner(language="xx"), "cpu", "int8", "knows no language 'xx'"),
        (Manner(), "cpu", "int3", "no model on cpu with int3"),
    ],
)
def test_a_wrong_manner_is_one_line(
    weights: Path, manner: Manner, device: str, compute_type: str, told: str
) -> None:
    with pytest.raises(Rejected, match=told) as caught:
        Listener(weights, "base", device=device, compute_type=compute_type, manner=manner)
    assert "\n" not in str(caught.value)


def test_an_unknown_language_is_refused(listener: Listener, tmp_path: Path) -> None:
    recording = decoded(DATA / "ru_0039.ogg", tmp_path / "sound.pcm")
    with pytest.raises(Rejected, match="knows no language 'xx'"):
        listener.heard(recording, Wishes("xx"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no sound that can be read"),
        (b"this is a text", "no sound that can be read"),
        (b"OggS" + b"\x00" * 500, "no sound that can be read"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 500, "no sound"),
    ],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(Rejected, match=told):
        decoded(BytesIO(content), tmp_path / "sound.pcm")


def test_no_seconds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="0 seconds"):
        decoded(sound(tmp_path / "a.wav", silence(0)), tmp_path / "sound.pcm")


def test_what_is_too_long_is_refused(tmp_path: Path) -> None:
    long = sound(tmp_path / "a.wav", silence(40))
    with pytest.raises(Rejected, match=r"longer than 0\.01 hours"):
        decoded(long, tmp_path / "sound.pcm", longest_s=36)


def test_a_file_that_breaks_off_gives_what_can_be_read(tmp_path: Path) -> None:
    whole = (DATA / "ru_0037.ogg").read_bytes()
    half = decoded(BytesIO(whole[: len(whole) // 2]), tmp_path / "sound.pcm")
    full = decoded(DATA / "ru_0037.ogg", tmp_path / "full.pcm")
    assert full.duration_s * 0.3 < half.duration_s < full.duration_s * 0.7


def test_pieces_are_those_of_the_whole(tmp_path: Path) -> None:
    given = np.linspace(-1, 0.99, 3 * RATE_HZ, dtype=np.float32)
    recording = decoded(sound(tmp_path / "a.wav", given), tmp_path / "sound.pcm")
    assert recording.duration_s == 3
    pieces = [recording.piece(Span(at, at + 0.75)) for at in (0, 0.75, 1.5, 2.25)]
    assert np.allclose(np.concatenate(pieces), given, atol=1e-3)


def test_weights_are_checked_and_made_once(weights: Path, tmp_path: Path) -> None:
    made_at = (weights / "model.bin").stat().st_mtime_ns
    home = weights.parents[1]
    assert ensure_weights("base", home) == weights
    assert (weights / "model.bin").stat().st_mtime_ns == made_at
    assert sorted(path.name for path in weights.parent.iterdir()) == ["whisper-base"]
    with pytest.raises(Rejected, match=r"has no config\.json, model\.bin, tokenizer\.json"):
        ensure_weights(str(tmp_path), home)


def test_weights_that_are_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_module, "_SHA256", "0" * 64)
    with pytest.raises(Rejected, match="not those that were published"):
        ensure_weights("base", tmp_path)
    assert not list((tmp_path / "models").iterdir())


def test_a_recording_knows_where_somebody_speaks(tmp_path: Path) -> None:
    one = clip("ru_0039.ogg", tmp_path)
    parts = (silence(3), one, silence(4), one)
    recording: Recording = decoded(sound(tmp_path / "a.wav", *parts), tmp_path / "sound.pcm")
    spans = recording.speech()
    assert spans[0].start_s == pytest.approx(3, abs=1)
    middle = 3 + len(one) / RATE_HZ + 2
    assert not [span for span in spans if span.start_s < middle < span.end_s]
