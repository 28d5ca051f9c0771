"""Errors of python-telegram-bot, said in our own tree and without the token.

A bot's token is part of every URL. httpx logs each URL at INFO, which `lib.clients._http` cuts
down to the host; the library tells URLs and parameters (texts, the webhook's secret) in its DEBUG
lines, which are dropped here. Errors carry Telegram's own description, never a URL.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    TelegramError,
)
from telegram.request import HTTPXRequest

from lib.clients._http import unanswered
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL)


class FloodWait(TelegramError):
    """429. The library's own RetryAfter warns of a deprecation whenever it is made."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too Many Requests")
        self.retry_after_s = retry_after_s


class ServerFault(TelegramError):
    """5xx, as often a proxy's page as Telegram's own JSON."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Request(HTTPXRequest):
    """Tells apart what the library calls NetworkError."""

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Send one request.

        Raises:
            FloodWait: 429.
            ServerFault: 5xx.
        """
        status, payload = await super().do_request(*args, **kwargs)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise FloodWait(_retry_after_s(payload))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise ServerFault(status)
        return status, payload


def ours(exc: TelegramError, method: str, *, write: bool) -> PotokError:
    """Our error for Telegram's, most specific first: BadRequest is a NetworkError there.

    Args:
        method: what was asked; ``download`` is a file's content.
        write: whether it cannot be repeated without a look.
    """
    what = f"telegram: {method}"
    if isinstance(exc, FloodWait):
        return RateLimited(f"{what}: too many requests", exc.retry_after_s)
    if isinstance(exc, ServerFault):
        # A proxy that lost its upstream cannot say whether the message went out.
        return unanswered(what, exc.message, write=write and exc.status in {502, 504})
    if isinstance(exc, InvalidToken) and method == "download":
        return Unavailable(f"{what}: the file's address is no longer valid")
    if isinstance(exc, InvalidToken | Forbidden):
        return Denied(f"{what}: {exc.message}")
    if isinstance(exc, BadRequest) and "temporarily unavailable" in exc.message:
        return Unavailable(f"{what}: {exc.message}")
    if isinstance(exc, BadRequest | ChatMigrated | Conflict):
        return Rejected(f"{what}: {exc.message}")
    cause = exc.__cause__
    sent = not isinstance(cause, _NEVER_SENT)
    return unanswered(what, type(cause or exc).__name__, write=write and sent)


def _retry_after_s(payload: bytes) -> float:
    try:
        return float(json.loads(payload)["parameters"]["retry_after"])
    except (ValueError, TypeError, KeyError):
        return 1.0


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


logging.getLogger("telegram.Bot").addFilter(_is_no_detail)
