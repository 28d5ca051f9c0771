"""What the commands that look into our database share: opening it, times, texts, JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.settings import Settings
from lib.errors import Rejected, Unavailable
from lib.store.engine import Database
from lib.store.failures import NoTables

PIPE_WIDTH = 200  # columns of a table that no terminal limits
MAX_ID = 2**63 - 1


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """Our database, for one command.

    Raises:
        Unavailable: it does not answer, or has no tables yet; the line says what to do.
    """
    database = Database(settings.database_url, pool_size=1)
    start = "`potok up` starts it" if settings.uses_embedded_postgres else "check DATABASE_URL"
    try:
        yield database
    except NoTables:
        raise Unavailable("the database has no tables yet: `potok up` makes them") from None
    except Unavailable:
        raise Unavailable(f"the database does not answer: {start}") from None
    finally:
        await database.close()


def id_from(word: str, what: str) -> int:
    """A number of ours that a person typed.

    Raises:
        Rejected: it is none.
    """
    if is_id(word):
        return int(word)
    shown = on_screen(word if len(word) <= 40 else f"{word[:40]}…")
    raise Rejected(f"'{shown}' is no {what}: a number is meant")


def is_id(word: str) -> bool:
    """Whether a word could be one of our numbers."""
    # The length comes first: Python refuses to read more than 4300 digits.
    return word.isascii() and word.isdigit() and len(word) <= 19 and int(word) <= MAX_ID


def is_text(word: str) -> bool:
    """Whether PostgreSQL could store a word: no NUL, and no byte that was no UTF-8."""
    return "\x00" not in word and not any("\ud800" <= char <= "\udfff" for char in word)


def time_text(at: datetime | None) -> str:
    """A time as this machine's clock shows it: ``2026-11-23 14:05:09``; "" for none."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def short_time(at: datetime) -> str:
    """A time for a list: ``11-23 14:05:09``."""
    return at.astimezone().strftime("%m-%d %H:%M:%S")


def on_screen(text: object) -> str:
    """A stranger's words without what would move the cursor or change the terminal."""
    return "".join(
        c if c.isprintable() or c in "\n\t\u00a0" else "\N{REPLACEMENT CHARACTER}"
        for c in str(text)
    )


def run_link(settings: Settings, flow_run_id: UUID | None) -> str:
    """The page of a flow run in Prefect's UI; "" for none."""
    return f"{settings.prefect_ui_url}/runs/flow-run/{flow_run_id}" if flow_run_id else ""


def json_from(rows: object) -> str:
    """Rows as one line of JSON: sums are numbers, times ISO 8601 in UTC."""
    return json.dumps(rows, ensure_ascii=False, default=_plain)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return number_from(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def number_from(amount: Decimal | None) -> int | float | None:
    """A sum as a JSON number: whole where it is whole."""
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def print_table(table: Table) -> None:
    """Print a table: as wide as the terminal, or, for a pipe, as its words are."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table)


def print_facts(console: Console, rows: Mapping[str, object], indent: int = 2) -> None:
    """Print named facts, one a line; what is empty is left out.

    A long line is left to the terminal to break, so that a link stays one link.
    """
    known = {name: value for name, value in rows.items() if value not in (None, "")}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        line = Text(" " * indent)
        line.append(name.ljust(width + 2), "dim").append(on_screen(value))
        console.print(line, soft_wrap=True)
