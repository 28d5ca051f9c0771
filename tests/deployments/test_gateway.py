"""Whose secrets open the gateway's doors."""

from __future__ import annotations

from deployments.gateway import _ours, keys_from
from deployments.settings import read_settings
from deployments.stack import sandbox_access

LEFT_BY_THE_SANDBOX = {
    "main": {"secret": sandbox_access.FORWARDER_SECRET, "old_secret": None},
    "other": {"token": "1:real", "webhook_secret": sandbox_access.WEBHOOK_SECRET},
}
REAL = {"own": {"secret": "whsec_" + "b3Vyc2VjcmV0" * 3, "old_secret": None}}


def test_a_block_that_the_sandbox_left_opens_no_real_door() -> None:
    real = read_settings(POTOK_SANDBOX=False)
    assert _ours(LEFT_BY_THE_SANDBOX | REAL, real) == REAL


def test_the_sandbox_may_use_its_own() -> None:
    assert _ours(LEFT_BY_THE_SANDBOX, read_settings(POTOK_SANDBOX=True)) == LEFT_BY_THE_SANDBOX


def test_the_environment_opens_the_doors_until_the_blocks_are_read() -> None:
    keys = keys_from(
        read_settings(
            POTOK_SANDBOX=False,
            TELEGRAM_BOT_NAME="sales",
            TELEGRAM_WEBHOOK_SECRET="from-the-environment",
            FORWARDER_SECRET=REAL["own"]["secret"],
            BITRIX24_EVENT_TOKEN="token-of-the-environment",
        )
    )
    assert keys.bots == {"sales": "from-the-environment"}
    assert keys.forwarder == (REAL["own"]["secret"],)
    assert keys.portals == {"main": "token-of-the-environment"}
    assert "the-environment" not in repr(keys)
