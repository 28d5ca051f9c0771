"""Random faults at random moments, round after round; what came of it is in RESULTS.md.

FAULT_ROUNDS=100 and FAULT_SEED=7 ask for more rounds, or for the same ones again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.faults.crowd import Count, Crowd
from tests.stack_fixture import LiveStack, eventually

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "27"))
SEED = int(os.environ.get("FAULT_SEED", "20261122"))
RESULTS = Path(__file__).with_name("RESULTS.md")
WITHIN_S = 300.0

Fault = Callable[[LiveStack, Random], Awaitable[None]]


def dies(name: str, number: signal.Signals) -> Fault:
    async def strike(stack: LiveStack, dice: Random) -> None:
        stack.send(name, number)

    return strike


def freezes(name: str) -> Fault:
    async def strike(stack: LiveStack, dice: Random) -> None:
        parent = psutil.Process(stack.pid(name))
        frozen = [parent, *parent.children(recursive=True)]
        until = time.monotonic() + dice.uniform(2, 20)

        async def over() -> bool:
            return time.monotonic() > until

        for process in frozen:
            process.suspend()
        await eventually(over)
        for process in frozen:
            process.resume()

    return strike


async def a_process_of_the_worker_dies(stack: LiveStack, dice: Random) -> None:
    """A spare, a run at work, or the template that they are forked from."""
    below = psutil.Process(stack.pid("worker")).children(recursive=True)
    if below:
        dice.choice(below).kill()


async def connections_break(stack: LiveStack, dice: Random) -> None:
    await stack.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )


FAULTS: dict[str, Fault] = {
    "worker killed": dies("worker", signal.SIGKILL),
    "worker stopped": dies("worker", signal.SIGTERM),
    "a process of the worker killed": a_process_of_the_worker_dies,
    "gateway killed": dies("gateway", signal.SIGKILL),
    "gateway stopped": dies("gateway", signal.SIGTERM),
    "Prefect killed": dies("prefect", signal.SIGKILL),
    "Prefect frozen 2–20 s": freezes("prefect"),
    "PostgreSQL stopped at once": dies("postgres", signal.SIGQUIT),
    "every database connection cut": connections_break,
}
TROUBLE = ("lose_answer", "query_limit", "html_502")


@dataclass(frozen=True)
class Round:
    """One round: what struck, what it did to the messages, and seconds until all were done."""

    fault: str
    count: Count
    recovered_s: float


async def play(stack: LiveStack, dice: Random, name: str) -> Round:
    crowd = Crowd(stack)
    for kind in dice.sample(TROUBLE, dice.randint(0, 2)):
        await stack.control("bitrix/failures", {"kind": kind, "times": dice.randint(1, 2)})
    if dice.random() < 0.5:
        await stack.control("llm/failures", {"kind": "slow", "delay_s": 1.0, "times": 20})
    people, words = dice.randint(10, 40), dice.randint(1, 3)
    writing = asyncio.create_task(crowd.write(people, words=words))
    await crowd.accepted(dice.randint(1, people * words))
    await over_at(time.monotonic() + dice.uniform(0, 2))
    struck = time.monotonic()
    await FAULTS[name](stack, dice)
    await writing
    await crowd.arrived(WITHIN_S)
    recovered_s = time.monotonic() - struck
    await stack.be_honest()
    await stack.be_well(WITHIN_S)
    return Round(name, await crowd.counted(), recovered_s)


async def over_at(moment: float) -> None:
    async def over() -> bool:
        return time.monotonic() > moment

    await eventually(over)


def table_of(rounds: list[Round]) -> str:
    head = ("fault", "strikes", "messages", "lost", "doubled", "out of order", "given up")
    lines = [f"| {' | '.join((*head, 's to recover, median', 'most'))} |", "|---" * 9 + "|"]
    for name in (*FAULTS, "all"):
        of_one = [r for r in rounds if name in (r.fault, "all")]
        if not of_one:
            continue
        sums = [
            sum(getattr(r.count, field) for r in of_one)
            for field in ("accepted", "lost", "doubled", "misplaced", "dead")
        ]
        times_s = [r.recovered_s for r in of_one]
        figures = [len(of_one), *sums, f"{statistics.median(times_s):.1f}", f"{max(times_s):.1f}"]
        lines.append(f"| {name} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def written_up(rounds: list[Round]) -> str:
    return (
        "# What faults do to messages\n\n"
        "Written by `make faults`: the whole stack with the sandbox, and in every round a crowd\n"
        "that writes, a portal and a model in trouble, and one part struck at a random moment.\n"
        "A message counts when it was answered 200. Recovered: from the strike until the last\n"
        "message of the round was done, the crowd's own writing included.\n\n"
        f"Seed {SEED}, {len(rounds)} rounds, {os.cpu_count()} cores.\n\n{table_of(rounds)}\n"
    )


@pytest.mark.slow
async def test_random_faults_lose_and_double_nothing(
    stack: LiveStack, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = Random(SEED)
    rounds: list[Round] = []
    for number in range(ROUNDS):
        name = list(FAULTS)[number % len(FAULTS)]
        rounds.append(await play(stack, dice, name))
        with capsys.disabled():
            latest = rounds[-1]
            print(f"  {number + 1}/{ROUNDS} {name}: {latest.count} {latest.recovered_s:.1f} s")
    RESULTS.write_text(written_up(rounds))
    with capsys.disabled():
        print(f"\n{table_of(rounds)}")
    for each in rounds:
        assert each.count == Count(each.count.accepted, 0, 0, 0, 0), each
