"""Telegram Bot API: texts, files and the webhook of one bot.

The token is part of every URL, so nothing here tells a URL: see `telegram_errors`.

Source: core.telegram.org/bots/api (10.0), python-telegram-bot 22.8, read 2026-11-22.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from lib.clients._closing import Closing
from lib.clients._http import unanswered
from lib.clients.telegram_errors import Request, ours
from lib.errors import Denied, Rejected

TEXT_CHARS = 4096
CAPTION_CHARS = 1024
_DOWNLOAD_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class BotProfile:
    """Who the bot is."""

    id: int
    username: str
    name: str


@dataclass(frozen=True)
class WebhookState:
    """Where Telegram sends the updates, and the last trouble it had.

    Attributes:
        url: empty when no webhook is set.
        pending: updates that wait for delivery.
        last_error_at: aware UTC; None when no delivery failed.
    """

    url: str
    pending: int
    max_connections: int | None
    allowed_updates: tuple[str, ...]
    last_error_at: datetime | None
    last_error: str | None


class Telegram(Closing):
    """One bot. Nothing is asked of Telegram before the first call.

    Args:
        token: as BotFather gave it.
        api_base: origin of the Bot API, without ``/bot``.
        timeout_s: deadline of one call; a file download has 60 s.
    """

    def __init__(
        self, token: str, api_base: str = "https://api.telegram.org", timeout_s: float = 10.0
    ) -> None:
        self._api_base = api_base.rstrip("/")
        self._timeout_s = timeout_s
        self._request = Request(
            connection_pool_size=32,
            read_timeout=timeout_s,
            write_timeout=timeout_s,
            connect_timeout=min(5.0, timeout_s / 2),
            pool_timeout=timeout_s / 2,
        )
        try:
            self._bot = Bot(
                token,
                base_url=f"{self._api_base}/bot",
                base_file_url=f"{self._api_base}/file/bot",
                request=self._request,
                get_updates_request=self._request,
            )
        except InvalidToken as exc:
            raise Denied("telegram: no bot token is set") from exc

    def __repr__(self) -> str:
        return f"Telegram(api_base={self._api_base!r})"

    async def __aenter__(self) -> Self:
        await self._request.initialize()
        return self

    async def aclose(self) -> None:
        """Close the connections."""
        await self._request.shutdown()

    async def fetch_me(self) -> BotProfile:
        """The bot behind the token.

        Raises:
            Denied: the token is wrong or revoked.
            Unavailable: Telegram cannot be reached or fails.
        """
        async with self._translated("getMe"):
            me = await self._bot.get_me()
        return BotProfile(me.id, me.username or "", me.full_name)

    async def send_text(self, chat_id: int, text: str) -> int:
        """Send a plain text and give the id of the new message.

        Raises:
            Rejected: longer than 4096 characters, empty, or no such chat.
            Denied: the token is wrong, or the person blocked the bot.
            RateLimited: too many messages; nothing was sent.
            AnswerLost: it may have been sent.
            Unavailable: it was not sent.
        """
        if len(text) > TEXT_CHARS:
            raise Rejected(f"telegram: a text of {len(text)} characters; {TEXT_CHARS} is the most")
        async with self._translated("sendMessage", write=True):
            message = await self._bot.send_message(chat_id, text)
        return message.message_id

    async def send_photo(self, chat_id: int, picture: bytes, caption: str) -> int:
        """Send a picture with a text below it and give the id of the new message.

        Args:
            chat_id: whom to.
            picture: PNG or JPEG, up to 10 MB.
            caption: up to 1024 characters.

        Raises:
            Rejected, Denied, RateLimited, AnswerLost, Unavailable: as ``send_text``.
        """
        if len(caption) > CAPTION_CHARS:
            told = f"{len(caption)} characters; {CAPTION_CHARS} is the most"
            raise Rejected(f"telegram: a caption of {told}")
        async with self._translated("sendPhoto", write=True):
            message = await self._bot.send_photo(chat_id, picture, caption=caption)
        return message.message_id

    async def fetch_file(self, file_id: str, max_bytes: int = 20 << 20) -> bytes:
        """The content of a file that somebody sent to the bot.

        Raises:
            Rejected: no such file, or larger than ``max_bytes`` or than Telegram's own 20 MB.
            Denied: the token is wrong or revoked.
            Unavailable: Telegram cannot be reached or fails.
        """
        async with self._translated("getFile"):
            file = await self._bot.get_file(file_id)
        _check_size(file.file_size or 0, max_bytes)
        async with self._translated("download", timeout_s=_DOWNLOAD_TIMEOUT_S):
            content = bytes(await file.download_as_bytearray())
        _check_size(len(content), max_bytes)
        return content

    async def ensure_webhook(
        self, url: str, secret: str, allowed_updates: Sequence[str], max_connections: int = 40
    ) -> None:
        """Point the bot's updates at a URL; safe to repeat.

        Args:
            url: HTTPS on port 443, 80, 88 or 8443.
            secret: 1–256 of ``A-Za-z0-9_-``, sent back in ``X-Telegram-Bot-Api-Secret-Token``.
            allowed_updates: kinds of updates; empty is nearly all.
            max_connections: deliveries at once, 1–100.

        Raises:
            Rejected: the URL or the secret is not to Telegram's rules.
            Denied: the token is wrong or revoked.
            Unavailable: Telegram cannot be reached or fails; repeat it.
        """
        async with self._translated("setWebhook"):
            await self._bot.set_webhook(
                url,
                secret_token=secret,
                allowed_updates=list(allowed_updates),
                max_connections=max_connections,
            )

    async def fetch_webhook(self) -> WebhookState:
        """The webhook as Telegram has it; the secret cannot be read back.

        Raises:
            Denied: the token is wrong or revoked.
            Unavailable: Telegram cannot be reached or fails.
        """
        async with self._translated("getWebhookInfo"):
            info = await self._bot.get_webhook_info()
        return WebhookState(
            url=info.url,
            pending=info.pending_update_count,
            max_connections=info.max_connections,
            allowed_updates=tuple(info.allowed_updates or ()),
            last_error_at=info.last_error_date,
            last_error=info.last_error_message,
        )

    @asynccontextmanager
    async def _translated(
        self, method: str, *, write: bool = False, timeout_s: float | None = None
    ) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_s or self._timeout_s):
                yield
        except TelegramError as exc:
            raise ours(exc, method, write=write) from exc
        except TimeoutError as exc:
            raise unanswered(f"telegram: {method}", "timed out", write=write) from exc


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise Rejected(f"telegram: a file of {size_bytes} bytes; {max_bytes} is the most")
