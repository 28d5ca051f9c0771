"""Every test of a flow leaves an honest sandbox, and nothing half done, doubled or told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.flows.checks import (
    check_nothing_is_left,
    check_nothing_is_there_twice,
    check_nothing_is_told,
)
from tests.stack_fixture import LiveStack


@pytest.fixture(autouse=True)
async def _all_is_well(stack: LiveStack) -> AsyncIterator[None]:
    yield
    await stack.be_honest()
    await check_nothing_is_left(stack)
    await check_nothing_is_there_twice(stack)
    await check_nothing_is_told(stack)
