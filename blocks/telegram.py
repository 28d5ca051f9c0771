"""Telegram: the block with a bot's token and secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr

if TYPE_CHECKING:
    from lib.clients.telegram import Telegram


class TelegramBot(Block):
    """A Telegram bot. Its document's name is the ``{bot}`` of ``/hooks/telegram/{bot}``."""

    _block_type_name = "potok Telegram bot"
    _block_type_slug = "potok-telegram"
    _documentation_url = HttpUrl("https://core.telegram.org/bots/api")

    token: SecretStr = Field(description="As BotFather gave it.")
    api_base: str = Field(default="https://api.telegram.org", description="Or a local server's.")
    webhook_secret: SecretStr = Field(description="What Telegram sends with every delivery.")
    alert_chat_id: int | None = Field(default=None, description="Who is told of failures.")
    managers_chat_id: int | None = Field(
        default=None, description="Who is told of leads; empty: who is told of failures."
    )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Telegram]:
        """A connection, closed at the end."""
        from lib.clients.telegram import Telegram  # 20 MB and 0.4 s, and most runs tell nobody

        async with Telegram(self.token.get_secret_value(), self.api_base) as telegram:
            yield telegram


class Forwarder(Block):
    """What posts messages to ``/hooks/forwarder``."""

    _block_type_name = "potok forwarder"
    _block_type_slug = "potok-forwarder"
    _documentation_url = HttpUrl("https://www.standardwebhooks.com/")

    secret: SecretStr = Field(description="whsec_…, of Standard Webhooks.")
    old_secret: SecretStr | None = Field(
        default=None, description="Still accepted while it is being replaced."
    )
