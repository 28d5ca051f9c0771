"""The addresses and credentials by which the sandbox is reached: fixed, public, worth nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

BOT_TOKEN = "7000000001:sandbox-bot-token-that-opens-nothing"  # noqa: S105
WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105
FORWARDER_SECRET = "whsec_c2FuZGJveC1mb3J3YXJkZXItc2VjcmV0LTMyLWJ5"  # noqa: S105
BITRIX_PATH = "/bitrix/rest/1/sandbox-webhook/"
EVENT_TOKEN = "sandbox-event-token"  # noqa: S105
LLM_KEY = "sandbox"
LLM_MODEL = "sandbox-reader"
PROVIDER_KEY = "sandbox-provider-key-that-opens-nothing"

_MARKS = (
    *(BOT_TOKEN, WEBHOOK_SECRET, FORWARDER_SECRET, BITRIX_PATH, EVENT_TOKEN),
    *(LLM_MODEL, PROVIDER_KEY),
)


def is_sandbox(values: Mapping[str, Any]) -> bool:
    """Whether a credential block is the sandbox's: everybody knows its secrets."""
    return any(mark in str(value) for value in values.values() for mark in _MARKS)


def vendors(sandbox_url: str, gateway_url: str, bot_name: str) -> dict[str, Any]:
    """The fields of ``Settings`` that name a vendor, pointed at the sandbox."""
    return {
        "telegram_bot_token": SecretStr(BOT_TOKEN),
        "telegram_api_base": f"{sandbox_url}/telegram",
        "telegram_webhook_secret": SecretStr(WEBHOOK_SECRET),
        "telegram_webhook_url": f"{gateway_url}/hooks/telegram/{bot_name}",
        "forwarder_secret": SecretStr(FORWARDER_SECRET),
        "bitrix24_webhook_url": SecretStr(f"{sandbox_url}{BITRIX_PATH}"),
        "bitrix24_event_token": SecretStr(EVENT_TOKEN),
        "llm_base_url": f"{sandbox_url}/llm/v1",
        "llm_api_key": SecretStr(LLM_KEY),
        "llm_model": LLM_MODEL,
    }
