"""The directory that Traefik reads: its configuration, the users, and what is known of it here.

``traefik.yaml`` is the static document, ``dynamic/potok.yaml`` the dynamic one, ``accepted.yaml``
the file of the hosts of which they were made, ``told.json`` what a person was told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lib.errors import Rejected, Unavailable

STATIC, DYNAMIC, ACCEPTED, TOLD = (
    *("traefik.yaml", "dynamic/potok.yaml", "accepted.yaml"),
    "told.json",
)


class IngressFiles:
    """The files of one Traefik.

    Args:
        directory: on this machine, and where Traefik sees it.
    """

    def __init__(self, directory: str) -> None:
        self._root = Path(directory)

    def users(self, name: str) -> str:
        """A list of users.

        Raises:
            Rejected: there is none.
            Unavailable: it cannot be read.
        """
        found = self._read(f"users/{name}")
        if found is None:
            path = self._root / "users" / name
            raise Rejected(f"{path} is missing: `htpasswd -nB NAME >> {path}` adds a user")
        return found

    def write(self, texts: Mapping[str, str]) -> list[str]:
        """Put texts into their files, each whole or not at all.

        Returns:
            The files that had another text before.

        Raises:
            Unavailable: the disk refuses; files not named yet are as they were.
        """
        changed = [name for name, text in texts.items() if self._read(name) != text]
        for name in changed:
            self._replace(name, texts[name])
        return changed

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return self._read(name) is not None

    def accepted(self) -> tuple[str, str]:
        """The file of the hosts that holds, and its dynamic document; "": none ever did."""
        return self._read(ACCEPTED) or "", self._read(DYNAMIC) or ""

    def told(self) -> dict[str, str]:
        """The failures that a person was told of and that were not over, with their reasons."""
        try:
            found = json.loads(self._read(TOLD) or "{}")
        except ValueError:  # then everything is told once more
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def keep_told(self, told: Mapping[str, str]) -> None:
        """Remember what a person was told.

        Raises:
            Unavailable: the disk refuses.
        """
        self.write({TOLD: json.dumps(told, ensure_ascii=False, indent=1)})

    def _read(self, name: str) -> str | None:
        with self._refusals(name):
            try:
                return (self._root / name).read_bytes().decode()
            except FileNotFoundError:
                return None

    def _replace(self, name: str, text: str) -> None:
        path = self._root / name
        # Not beside it: Traefik reads whatever appears in `dynamic`.
        spare = self._root / f".{path.name}.new"
        with self._refusals(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            with spare.open("wb") as out:
                out.write(text.encode())
                out.flush()
                os.fsync(out.fileno())
            spare.replace(path)

    @contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError:
            raise Rejected(f"{self._root / name} is no text") from None
        except OSError as exc:
            raise Unavailable(f"{self._root / name}: {exc.strerror}") from exc
