"""The table in its file, read again when it changes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from lib.clients.ways import DIRECT
from lib.domain.document import document_from
from lib.domain.llm.table import Table, table_from
from lib.errors import Rejected

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class Shelf:
    """The newest good table of a file.

    Args:
        path: the YAML document.
        addresses: base URLs that count over the table's, by the kind of provider; they are near,
            and reached directly.

    Attributes:
        table: what holds.
        digest: of it; another one for another table.

    Raises:
        Rejected: there is no file, or it makes no sense.
    """

    def __init__(self, path: Path, addresses: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._addresses = dict(addresses or {})
        self._seen = self._stamp()
        self.table, self.digest = self._read()

    async def watch(self) -> None:
        """Follow the file for ever; a wrong one changes nothing and is told."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> bool:
        """Read the file if it has changed; whether a new table holds."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self.table, self.digest = self._read()
        except Rejected as exc:
            log.error("table.refused reason=%s", exc)  # the old one holds
            return False
        log.info(
            "table.read aliases=%d providers=%d", len(self.table.aliases), len(self.table.providers)
        )
        return True

    def _read(self) -> tuple[Table, str]:
        try:
            raw = self._path.read_bytes()
        except OSError as exc:
            raise Rejected(f"{self._path.name} cannot be read: {exc.strerror}") from None
        said = document_from(raw, self._path.name)
        try:
            table = table_from(said)
        except Rejected as exc:
            raise Rejected(f"{self._path.name}: {exc}") from None
        return _moved(table, self._addresses), hashlib.sha256(raw).hexdigest()

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size


def _moved(table: Table, addresses: Mapping[str, str]) -> Table:
    providers = {
        name: provider.model_copy(update={"base_url": addresses[provider.kind], "egress": DIRECT})
        if provider.kind in addresses
        else provider
        for name, provider in table.providers.items()
    }
    return table.model_copy(update={"providers": providers})
