"""``potok llm texts``: the questions of keys that were made with ``--keep-texts``."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from deployments.cli.store import on_screen, time_text

CHARS = 2_000  # of one message on a screen; --json has all


def print_texts(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print questions, the newest last, as a person would read them."""
    for row in rows:
        head = Text(time_text(row["at"]), "dim")
        head.append(f"  {on_screen(row['caller'])} → {on_screen(row['alias'])}", "bold")
        console.print(head.append(f"  {row['outcome']}", "dim"), soft_wrap=True)
        for line in lines_of(row["texts"]):
            console.print(Text(f"  {on_screen(line)}"), soft_wrap=True)


def lines_of(body: Any) -> list[str]:
    """What was asked, by the fields that the dialects have for it; else the whole body."""
    if not isinstance(body, dict):
        return [_short(body)]
    lines = [f"system: {_short(body[key])}" for key in ("system", "instructions") if body.get(key)]
    for key in ("messages", "input", "prompt"):
        said = body.get(key)
        if isinstance(said, str) and said:
            lines.append(_short(said))
        elif isinstance(said, list):
            lines += [_line(each) for each in said]
    return lines or [_short(body)]


def _line(said: Any) -> str:
    if isinstance(said, dict) and "role" in said:
        return f"{said['role']}: {_short(said.get('content'))}"
    return _short(said)


def _short(said: Any) -> str:
    if isinstance(said, list):
        texts = [part.get("text") for part in said if isinstance(part, dict)]
        if texts and all(isinstance(text, str) for text in texts):
            said = "\n".join(map(str, texts))
    told = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return told if len(told) <= CHARS else f"{told[:CHARS]}… ({len(told)} characters)"
