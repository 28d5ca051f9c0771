"""Starting the whole real stack for tests: one for the session, or more."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.settings import Settings
from deployments.stack.sandbox_access import BOT_TOKEN
from deployments.stack.stack import Stack
from tests.stack_fixture import ALERT_CHAT, ON_DUTY, LiveStack
from tests.support import PORTS, free_port

LLM_TIMEOUT_S = 3.0
LIMIT = (50, 25.0)  # at Bitrix24's own 50 and 2/s these tests would take an hour
# Whose process a run gets, whose request fails and what is told no run beside `leads` may decide.
BESIDES = (
    *("routing/main", "scoring/main", "reminders/main", "calls/main", "upkeep/main"),
    *("transcripts/main", "ingress/main"),
)


def settings_at(home: Path) -> Settings:
    """Settings of a stack of its own: free ports, the sandbox, an alert chat, a quick limit."""
    given: dict[str, Any] = {name: free_port() for name in PORTS}
    return Settings(
        **given,
        POTOK_HOME=home,
        POTOK_SANDBOX=True,
        POTOK_FOLLOW_UP_S=1,
        SPEECH_MODEL="base",
        TELEGRAM_ALERT_CHAT=ALERT_CHAT,
        BITRIX24_LIMIT=f"{LIMIT[0]}/{LIMIT[1]}",
        LLM_TIMEOUT_S=LLM_TIMEOUT_S,
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[LiveStack]:
    """A stack for as long as the block lasts.

    It lives in a thread and a loop of its own: restarts of what has died wait for no test, and
    Ctrl-C stays with pytest.
    """
    up: Future[Stack] = Future()
    down: Future[None] = Future()

    async def stay() -> None:
        try:
            async with Stack(settings) as stack:
                up.set_result(stack)
                await asyncio.wrap_future(down)
        except BaseException as exc:
            if up.done():
                raise
            up.set_exception(exc)

    thread = threading.Thread(target=lambda: asyncio.run(stay()), name="stack")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # also then all is stopped
    thread.start()
    try:
        stack = await asyncio.wrap_future(up)
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
            yield LiveStack(settings, stack, http)
    finally:
        down.set_result(None)
        await asyncio.to_thread(thread.join)
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
async def stack(open_dir: Path) -> AsyncIterator[LiveStack]:
    """PostgreSQL, Prefect, sandbox, gateway and worker: started on first use."""
    async with running(settings_at(open_dir / "stack")) as live:
        await live.be_well()
        await live.be_honest()
        said = {"as": ON_DUTY, "text": "/start", "token": BOT_TOKEN}
        await live.control("telegram/say", said)  # a bot writes only to people who wrote to it
        await live.pause(*BESIDES)
        yield live
