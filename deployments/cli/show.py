"""How the CLI shows progress and errors: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.status import Status
from rich.text import Text

from lib.errors import PotokError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class ConsoleProgress:
    """Steps with their times; on a terminal with a spinner for those under way.

    Args:
        console: where to; give ``err`` when the output itself is for a program.
    """

    def __init__(self, console: Console = out) -> None:
        self._console = console
        self._under_way: list[str] = []
        self._status: Status | None = None

    def began(self, step: str) -> None:
        """A step began."""
        self._under_way.append(step)
        if not self._console.is_terminal:
            self._console.print(f"  {step} …")
        self._show()

    def done(self, step: str, took_s: float, note: str = "") -> None:
        """A step ended well."""
        self._under_way = [name for name in self._under_way if name not in (step, "stopping")]
        self._show()
        words = f"  [green]✓[/green] {step:<10} {took_s:5.1f} s"
        self._console.print(f"{words}  [dim]{note}[/dim]" if note else words)

    def close(self) -> None:
        """Take the spinner away."""
        self._under_way.clear()
        self._show()

    def _show(self) -> None:
        if not self._console.is_terminal:
            return
        if not self._under_way:
            if self._status is not None:
                self._status.stop()
                self._status = None
            return
        words = f"[dim]{', '.join(self._under_way)}[/dim]"
        if self._status is None:
            self._status = self._console.status(words)
            self._status.start()
        else:
            self._status.update(words)


def print_quote(console: Console, text: str) -> None:
    """Print a person's words, indented and broken into lines, without spaces at their ends."""
    for line in Text(text, "italic").wrap(console, console.width - 4):
        line.rstrip()
        console.print(Text("  ").append_text(line))


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """Show that something takes its time."""
    if out.is_terminal:
        with out.status(words):
            yield
    else:
        out.print(f"{words} …")
        yield


@contextmanager
def plain_errors() -> Iterator[None]:
    """Give people one line for what they can act on, and exit code 1."""
    try:
        yield
    except PotokError as exc:
        fail(str(exc))
    except PermissionError as exc:
        fail(
            f"no permission for {exc.filename}: choose another POTOK_HOME, or the user who owns it"
        )
    except OSError as exc:
        if exc.filename is None:
            raise
        fail(f"{exc.filename}: {exc.strerror}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(0) from None


def fail(words: str) -> None:
    """Say what is wrong and exit with code 1."""
    err.print(words, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)
