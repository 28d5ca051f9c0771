"""Recordings of people with what they say; fetched once for this machine.

Russian: 620 sentences of Debian's ``festvox-ru``. English: the clips of LibriVox that the sources
of ``pocketsphinx`` are tested with. Both are mono, 16 kHz.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.errors import Unavailable

RATE_HZ = 16_000
VOICE = Path("usr/share/festival/voices/russian/msu_ru_nsh_clunits")
SPHINX = "pocketsphinx==5.1.1"
WITHIN_S = 900.0


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording.

    Attributes:
        said: its words, as a person wrote them down.
    """

    path: Path
    said: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        with wave.open(str(self.path)) as file:
            return float(file.getnframes() / file.getframerate())


def russian() -> list[Sound]:
    """All of ``festvox-ru``, in its order.

    Raises:
        Unavailable: there is no apt here, or it has no such package.
    """
    folder = _folder() / "festvox-ru"
    if not folder.is_dir():
        _run(_folder(), "apt-get", "download", "festvox-ru")
        package = max(_folder().glob("festvox-ru_*.deb"))
        made = Path(tempfile.mkdtemp(dir=_folder()))
        _run(_folder(), "dpkg-deb", "-x", str(package), str(made))
        made.replace(folder)
        package.unlink()
    lines = (folder / VOICE / "etc" / "txt.done.data").read_text()
    return [
        Sound(folder / VOICE / "wav" / f"{name}.wav", said.replace("+", ""))  # + is a stress mark
        for name, said in re.findall(r'^\( (\S+) "(.*)" \)$', lines, re.M)
    ]


def english() -> list[Sound]:
    """The clips of LibriVox.

    Raises:
        Unavailable: the sources cannot be fetched.
    """
    folder = _folder() / "librivox"
    if not folder.is_dir():
        pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:")
        _run(_folder(), *pip, SPHINX)
        package = next(_folder().glob("pocketsphinx-*.tar.gz"))
        made = Path(tempfile.mkdtemp(dir=_folder()))
        with tarfile.open(package) as archive:
            archive.extractall(made, filter="data")
        next(made.glob("*/test/data/librivox")).replace(folder)
        shutil.rmtree(made)
        package.unlink()
    lines = (folder / "transcription").read_text()
    return [
        Sound(folder / f"{name}.wav", said)
        for said, name in re.findall(r"^<s> (.*) </s> \((.*)\)$", lines, re.M)
    ]


def joined(sounds: Sequence[Sound], seconds: float, pause_s: float, into: Path) -> Sound:
    """One recording of so many seconds or a little more: sounds with silences between them."""
    done, said = 0.0, []
    with wave.open(str(into), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        for sound in sounds:
            if done >= seconds:
                break
            with wave.open(str(sound.path)) as piece:
                file.writeframes(piece.readframes(piece.getnframes()))
            file.writeframes(bytes(2 * round(pause_s * RATE_HZ)))
            done += sound.seconds + pause_s
            said.append(sound.said)
    return Sound(into, " ".join(said))


def _folder() -> Path:
    """Where they are kept: not in POTOK_HOME, which a session throws away."""
    folder = Path(tempfile.gettempdir()) / f"potok-sounds-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise Unavailable(f"{folder} is somebody else's")
    return folder


def _run(folder: Path, *argv: str) -> None:
    try:
        subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=WITHIN_S)
    except FileNotFoundError as exc:
        raise Unavailable(f"no recordings: there is no {argv[0]} here") from exc
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(f"no recordings: {argv[0]} took more than {WITHIN_S:.0f} s") from exc
    except subprocess.CalledProcessError as exc:
        told = (exc.stderr or exc.stdout).decode(errors="replace").strip().splitlines()
        raise Unavailable(f"no recordings: {' '.join(argv)}: {(told or ['?'])[-1]}") from exc
