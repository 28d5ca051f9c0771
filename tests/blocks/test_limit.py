"""The portal's limit when the clock is put back, over a real Prefect server."""

from __future__ import annotations

import psycopg
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks import _limit
from lib.errors import Unavailable
from tests.stack_fixture import LiveStack

NAME = "test-clock"
USED_LATER = """
    update concurrency_limit_v2 set active_slots = 1, updated = now() + %s::interval
    where name = %s
"""


async def used_up(stack: LiveStack, later: str) -> None:
    """A bucket of one place, used up at a moment from now."""
    dsn = stack.settings.database_url.rsplit("/", 1)[0] + "/prefect"
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as link:
        await link.execute("delete from concurrency_limit_v2 where name = %s", (NAME,))
        body = {"name": NAME, "limit": 1, "slot_decay_per_second": 1}
        await stack.prefect("/v2/concurrency_limits/", body)
        await link.execute(USED_LATER, (later, NAME))


async def test_a_bucket_that_was_used_later_than_now_is_opened_again(
    stack: LiveStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_limit, "WAIT_S", 2.0)
    await used_up(stack, "2 hours")
    with temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}):
        with pytest.raises(Unavailable, match="no place for 2 s"):
            await _limit.wait_for_place(NAME)
        monkeypatch.setattr(_limit, "WAIT_S", 30.0)
        await _limit.wait_for_place(NAME)


async def test_a_limit_that_is_not_there_is_told(stack: LiveStack) -> None:
    with (
        temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}),
        pytest.raises(Unavailable, match="no place in the limit nowhere"),
    ):
        await _limit.wait_for_place("nowhere")
