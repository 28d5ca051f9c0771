"""Whether POTOK_HOME can be used, said before anything is written into it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lib.errors import Rejected


def trouble_with(home: Path) -> str | None:
    """Why nothing can be written into a POTOK_HOME, in one line; ``None``: it can be used."""
    nearest = home
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"POTOK_HOME {home} cannot be used: {nearest} is no directory"
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return None
    except OSError as exc:
        return f"POTOK_HOME {home} cannot be written: {exc.strerror or exc}; choose another one"


def check(home: Path) -> None:
    """Check that a POTOK_HOME can be used.

    Raises:
        Rejected: it cannot; the line says why.
    """
    if trouble := trouble_with(home):
        raise Rejected(trouble)
