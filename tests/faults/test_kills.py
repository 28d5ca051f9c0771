"""Each part killed at random moments while thousands write, round after round.

FAULT_ROUNDS=100, FAULT_MESSAGES=500, FAULT_STRIKES=1 and FAULT_SEED=7 ask for other rounds, or for
the same again.
"""

from __future__ import annotations

import asyncio
import os
import time
from random import Random

import pytest

from tests.faults.crowd import Count, Crowd
from tests.faults.ledger import Ledger, Round
from tests.faults.strikes import SEED, STRIKES
from tests.stack_fixture import LiveStack, eventually

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "20"))
MESSAGES = int(os.environ.get("FAULT_MESSAGES", "2000"))
STRIKES_A_ROUND = int(os.environ.get("FAULT_STRIKES", "3"))  # at most
AT_ONCE = 20
WITHIN_S = 400.0

_CRASHED = {"flow_runs": {"state": {"type": {"any_": ["CRASHED"]}}}}


async def play(stack: LiveStack, dice: Random, name: str, messages: int) -> Round:
    """One round."""
    crowd = Crowd(stack)
    crashed = await stack.prefect("/flow_runs/count", _CRASHED)
    writing = asyncio.create_task(crowd.write(messages, at_once=AT_ONCE))
    strikes = 0
    moments = sorted(dice.sample(range(1, messages), dice.randint(1, STRIKES_A_ROUND)))
    for moment in moments:
        await crowd.accepted(moment)
        await over_at(time.monotonic() + dice.uniform(0, 0.5))
        struck_at = time.monotonic()
        while not await STRIKES[name](stack, dice):
            assert time.monotonic() - struck_at < WITHIN_S, f"there is no {name} to strike"
            if writing.done():  # all of it may have arrived: no run would come any more
                await writing
                writing = asyncio.create_task(crowd.write(AT_ONCE, at_once=AT_ONCE))
        strikes += 1
        await stack.be_well(WITHIN_S)
    await writing
    await crowd.arrived(WITHIN_S)
    recovered_s = time.monotonic() - struck_at
    await stack.be_well(WITHIN_S)
    await nothing_runs(stack)
    crashed = await stack.prefect("/flow_runs/count", _CRASHED) - crashed
    return Round(name, strikes, await crowd.counted(), crashed, recovered_s)


async def over_at(moment: float) -> None:
    async def over() -> bool:
        return time.monotonic() > moment

    await eventually(over)


async def nothing_runs(stack: LiveStack) -> None:
    """Runs that died are shown as such, not as Running for ever."""
    alive = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}

    async def none() -> bool:
        return bool(await stack.prefect("/flow_runs/count", alive) == 0)

    await eventually(none)


async def forget_all(stack: LiveStack) -> None:
    """Empty the portal and our tables: to look through a million leads would take the time."""
    await stack.control("bitrix/reset", {})
    await stack.control("bitrix/limit", {"off": True})
    await stack.rows("truncate deliveries, batches, leads, lead_messages cascade")


@pytest.mark.slow
@pytest.mark.parametrize("name", STRIKES)
async def test_kills_lose_and_double_nothing(
    stack: LiveStack, ledger: Ledger, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = Random(f"{SEED} {name}")
    for number in range(ROUNDS):
        one = await play(stack, dice, name, MESSAGES)
        ledger.rounds.append(one)
        with capsys.disabled():
            said = f"{one.strikes} strikes, {one.count}, {one.crashed} crashed"
            print(f"  {name} {number + 1}/{ROUNDS}: {said}, {one.recovered_s:.1f} s", flush=True)
        assert one.count == Count(one.count.accepted, 0, 0, 0, 0), one
        await forget_all(stack)


@pytest.mark.parametrize("name", STRIKES)
async def test_one_short_round_of_kills(stack: LiveStack, name: str) -> None:
    one = await play(stack, Random(name), name, messages=60)
    assert one.count == Count(max(60, one.count.accepted), 0, 0, 0, 0), one
