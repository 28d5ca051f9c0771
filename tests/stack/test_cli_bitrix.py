"""``potok bitrix setup`` on the whole stack, with the stand-in portal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deployments.portal_setup import outgoing
from deployments.settings import read_settings
from deployments.stack.sandbox_access import EVENT_TOKEN
from lib.domain.crm_events import EVENTS
from tests.stack_fixture import LiveStack


@pytest.fixture
async def live(stack: LiveStack) -> AsyncIterator[LiveStack]:
    yield stack
    await stack.control("bitrix/handler", method="DELETE")


async def test_setup_makes_the_fields_once_and_says_what_to_enter(live: LiveStack) -> None:
    address = f"{live.settings.gateway_url}/hooks/bitrix24"
    for words in (("made", "there"), ("there",)):  # another test may have made one
        said = await live.potok("bitrix", "setup")
        for name in ("SCORE", "BAND", "CALLS"):
            assert any(f"{word:<8} UF_CRM_POTOK_{name}" in said for word in words)
        assert address in said
        assert ", ".join(EVENTS) in said
        assert EVENT_TOKEN not in said
    handler = await live.control("bitrix/handler")
    assert (handler["url"], handler["events"]) == (address, list(EVENTS))


def test_a_real_portal_delivers_beside_the_bot_s_hook() -> None:
    real = {"POTOK_SANDBOX": False, "TELEGRAM_WEBHOOK_URL": "https://x.example/hooks/telegram/main"}
    assert outgoing(read_settings(**real)).address == "https://x.example/hooks/bitrix24"
    nobody = read_settings(POTOK_SANDBOX=False)
    assert outgoing(nobody).address == "https://<public name>/hooks/bitrix24"
