"""The memory of each process: at rest, after 1,000 messages, and after many."""

from __future__ import annotations

import asyncio

from tests.bench.bursts import send_burst
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.usage import Memory, memory_lines, memory_of, ours_mb

A_BURST = 1000
MESSAGES = 100_000
QUICK = 2_000
REST_S = 10.0  # what was loaded for the start is let go
WITHIN_S = 180.0
ROLES = ("gateway", "worker", "template", "spare", "prefect", "postgres", "sandbox")


async def measure(house: House, options: Options) -> Sample:
    """A stack that has just started, then load, with a rest before each look."""
    at_rest = await _rested(house)
    count = QUICK if options.is_quick else MESSAGES
    after_first: dict[str, Memory] = {}
    for done in range(A_BURST, count + 1, A_BURST):
        burst = await send_burst(house, A_BURST, WITHIN_S)
        if burst.arrived < A_BURST:
            options.say(f"{A_BURST - burst.arrived} of a burst have not arrived")
        if done == A_BURST:
            after_first = await _rested(house)
            await house.empty_portal()
        elif done % 10_000 == 0:
            options.say(f"{done:,} messages: {ours_mb(memory_of(house.stack)):.1f} MB")
            await house.empty_portal()
    after_all = await _rested(house)
    figures = {
        "memory.rest_mb": ours_mb(at_rest),
        "memory.growth": ours_mb(after_all) / ours_mb(after_first),
    }
    figures |= {f"memory.{role}_mb": at_rest[role].pss_mb for role in ROLES if role in at_rest}
    notes = ["at rest:", *memory_lines(at_rest)]
    notes += [f"after {A_BURST:,}: {ours_mb(after_first):.1f} MB", *memory_lines(after_first)]
    notes += [f"after {count:,}: {ours_mb(after_all):.1f} MB", *memory_lines(after_all)]
    return Sample(figures, notes)


async def _rested(house: House) -> dict[str, Memory]:
    await house.until_quiet()
    await asyncio.sleep(REST_S)
    return memory_of(house.stack)
