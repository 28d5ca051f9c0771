"""The measures by name, in the order they are taken."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from tests.bench.figures import Sample
from tests.bench.house import House


@dataclass(frozen=True, slots=True)
class Options:
    """How much is done.

    Attributes:
        is_quick: less of everything, to see that it works.
        say: shows a line while a measure runs.
    """

    is_quick: bool
    say: Callable[[str], None]


Measuring = Callable[[House, Options], Awaitable[Sample]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        name: as on the command line, and before the dot in the keys of its figures.
        module: of this package, with the function ``measure``.
        limit: BITRIX24_LIMIT of the stack that it wants.
        wants_fresh: it wants a stack that has just started.
        is_taken_once: a session of several runs has one of it: it takes many minutes.
    """

    name: str
    module: str
    limit: str = "off"
    wants_fresh: bool = False
    is_taken_once: bool = False

    def load(self) -> Measuring:
        """Import it: only what is measured costs the bench's process memory and time."""
        module = importlib.import_module(f"tests.bench.{self.module}")
        return cast(Measuring, module.measure)


MEASURES = (
    Measure("direct", "of_direct"),
    Measure("message", "of_message"),
    Measure("steady", "of_steady"),
    Measure("burst", "of_burst"),
    Measure("worker", "of_worker"),
    Measure("cancel", "of_cancel"),
    Measure("inbox", "of_inbox"),
    Measure("backlog", "of_backlog"),
    Measure("scoring", "of_scoring"),
    Measure("llm", "of_llm"),
    Measure("speech", "of_speech"),
    Measure("listening", "of_listening", is_taken_once=True),
    Measure("memory", "of_memory", wants_fresh=True, is_taken_once=True),
    Measure("limited", "of_limited", limit="50/2"),
)
