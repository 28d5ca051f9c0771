"""What faults did to messages, gathered over the tests and written to RESULTS.md."""

from __future__ import annotations

import statistics
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.faults.crowd import Count

RESULTS = Path(__file__).with_name("RESULTS.md")
ROOT = RESULTS.parents[2]

HEAD = (
    *("struck", "rounds", "strikes", "messages", "lost", "doubled", "out of order", "given up"),
    *("runs Crashed", "s to recover, median", "most"),
)


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        struck: the part, or the scenario.
        strikes: how often.
        count: what became of the messages.
        crashed: runs that are shown as Crashed.
        recovered_s: from the last strike, or the end of the trouble, until the last message was
            done; the crowd's own writing included.
    """

    struck: str
    strikes: int
    count: Count
    crashed: int
    recovered_s: float


@dataclass
class Ledger:
    """The rounds of a session.

    Attributes:
        wanted: what has to be struck before the file is written anew.
    """

    wanted: Sequence[str]
    rounds: list[Round] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything was struck."""
        return {one.struck for one in self.rounds} >= set(self.wanted)

    def table(self) -> str:
        """A line for each part and scenario, and one for all."""
        lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
        of: defaultdict[str, list[Round]] = defaultdict(list)
        for one in self.rounds:
            of[one.struck].append(one)
        for name, rounds in (*of.items(), ("all", self.rounds)):
            counts = [one.count for one in rounds]
            fields = ("accepted", "lost", "doubled", "misplaced", "dead")
            sums = [sum(getattr(count, each) for count in counts) for each in fields]
            times_s = [one.recovered_s for one in rounds]
            figures = [
                *(len(rounds), sum(one.strikes for one in rounds), *sums),
                sum(one.crashed for one in rounds),
                *(f"{statistics.median(times_s):.1f}", f"{max(times_s):.1f}"),
            ]
            lines.append(f"| {name} | {' | '.join(map(str, figures))} |")
        return "\n".join(lines)

    def written_up(self, seed: int) -> str:
        """The file."""
        return (
            "# What faults do to messages\n\n"
            "Written by `make faults`: the whole stack over the sandbox. In every round a crowd\n"
            "writes, and meanwhile the part is killed (SIGKILL) at random moments,\n"
            "each time when all was well again. The other lines are scenarios; each is a test in\n"
            "`tests/faults/`. A message counts when it was answered 200. Recovered: from the last\n"
            "strike, or the end of the trouble, until the last message was done. After each\n"
            "round no run was left alive, and nothing needed a person (given up: 0).\n\n"
            f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, seed {seed}, "
            f"{psutil.cpu_count()} cores.\n\n{self.table()}\n"
        )


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
