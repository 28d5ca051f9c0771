"""Every test here leaves an honest sandbox and nothing half done."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.flows.checks import check_nothing_is_left
from tests.stack_fixture import LiveStack
from tests.stack_running import BESIDES


@pytest.fixture(autouse=True)
async def _nothing_is_left(stack: LiveStack) -> AsyncIterator[None]:
    yield
    await stack.pause(*BESIDES)  # to deploy lets all go on
    await stack.be_honest()
    await check_nothing_is_left(stack)
