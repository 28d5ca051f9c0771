"""The map: what every flow is, as its header and its deployment say."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"^(Trigger|In|Out|Pool)\s+(.*)$")


@dataclass(frozen=True, slots=True)
class FlowOnMap:
    """A deployment of a flow.

    Attributes:
        name: ``flow/deployment``.
        summary: what the flow is for, in one sentence; ``description``: what this deployment does.
        takes, gives: what goes in, and what comes out.
        schedules: when it runs by itself, as in ``0 4 * * * Europe/Moscow`` or ``every 600 s``.
    """

    name: str
    summary: str
    description: str
    trigger: str
    takes: str
    gives: str
    pool: str
    tags: tuple[str, ...]
    schedules: tuple[str, ...]

    def words(self) -> str:
        """The whole of it, for a person or a model that has to choose."""
        parts = {"Trigger": self.trigger, "In": self.takes, "Out": self.gives}
        lines = [f"{name}: {value}." for name, value in parts.items() if value]
        lines += [f"By itself: {', '.join(self.schedules)}."] if self.schedules else []
        return "\n".join([self.description or self.summary, *lines])


def header_from(docstring: str) -> dict[str, str]:
    """The words of a flow's header by their name; ``summary`` is its first line.

    A line that is set further in goes on with the word before it.
    """
    lines = docstring.strip().splitlines()
    found = {"summary": lines[0].strip() if lines else ""}
    word = ""
    for line in lines[1:]:
        if named := _WORD.match(line):
            word = named[1].lower()
            found[word] = named[2].strip()
        elif word and line.startswith(" "):
            found[word] += " " + line.strip()
        else:
            word = ""
    return found
