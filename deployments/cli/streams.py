"""What a person's terminal or file does not take ends in one line, never in a traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

from typer.core import TyperGroup

# A file that is full, a disk that is broken: of the output, for they name no file.
NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class PotokGroup(TyperGroup):
    """The commands; what cannot be encoded is replaced, what cannot be written is told."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command.

        Letters that the output's encoding lacks are shown as ``?``. An output without room is
        exit code 1.
        """
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        try:
            return super().main(*args, **kwargs)
        except OSError as exc:
            if exc.filename is not None or exc.errno not in NOT_WRITTEN:
                raise
            _drop_output()
            sys.stderr.write(f"the output cannot be written: {exc.strerror}\n")
            sys.exit(1)


def _drop_output() -> None:
    """Send what is still buffered nowhere: Python would try it again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
