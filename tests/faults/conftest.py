"""After every fault the stack is well again by itself, and nothing is half done or doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.ledger import RESULTS, Ledger
from tests.faults.strikes import SEED, STRIKES
from tests.flows.checks import (
    check_nothing_is_left,
    check_nothing_is_there_twice,
    check_nothing_is_told,
)
from tests.stack_fixture import LiveStack

SCENARIOS = (
    "the portal silent for 2 minutes",
    "PostgreSQL restarted under load",
    "the database's disk full for 20 s",
    "the clock jumps by hours, on and back",
    "two gateways, dispatchers and workers, each killed",
)


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """What faults did; RESULTS.md, once everything was struck."""
    ledger = Ledger([*STRIKES, *SCENARIOS])
    yield ledger
    if ledger.is_whole:
        RESULTS.write_text(ledger.written_up(SEED))


@pytest.fixture(autouse=True)
async def _all_is_well(stack: LiveStack) -> AsyncIterator[None]:
    await stack.be_well()
    yield
    await stack.be_well()
    await stack.be_honest()
    await check_nothing_is_left(stack)
    await check_nothing_is_there_twice(stack)
    await check_nothing_is_told(stack)
