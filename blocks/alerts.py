"""Telling a person, by Telegram, what no retry will mend."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from httpx import HTTPError, HTTPStatusError, codes
from prefect import get_client

from blocks._batch import LeadBatch
from blocks._load import load
from blocks._retry import retried
from blocks.telegram import TelegramBot
from lib.domain.texts import dead_letters_text, denied_text
from lib.errors import Denied, PotokError

log = logging.getLogger(__name__)

DENIED_LIMIT = "potok-alerts-denied"  # provisioned: how often a person is told of refused keys


@retried
async def tell(text: str, bot: str = "main") -> bool:
    """Send a text to the chat of the person on duty.

    Returns:
        False when no chat is configured; the text's occasion is in the log all the same.
    """
    block = await load(TelegramBot, bot)
    return await _send(block, block.alert_chat_id, text)


@retried
async def tell_managers(text: str, picture: bytes | None = None, bot: str = "main") -> bool:
    """Send a text to the managers' chat, or to the person on duty where there is none.

    Args:
        text: what they read; under a picture 1,024 characters at the most.
        picture: a PNG.
        bot: the name of its block.

    Returns:
        False when neither chat is configured.
    """
    block = await load(TelegramBot, bot)
    return await _send(block, block.managers_chat_id or block.alert_chat_id, text, picture)


async def _send(
    bot: TelegramBot, chat_id: int | None, text: str, picture: bytes | None = None
) -> bool:
    if chat_id is None:
        log.warning("alert.no_chat: set TELEGRAM_ALERT_CHAT or TELEGRAM_MANAGERS_CHAT")
        return False
    async with bot.open() as telegram:
        if picture is None:
            await telegram.send_text(chat_id, text)
        else:
            await telegram.send_photo(chat_id, picture, text)
    return True


async def tell_failures(batch: LeadBatch) -> None:
    """Tell of dead letters and refused credentials; an alert that fails is logged, no more."""
    await tell_denied(item.error for item in batch.items)
    dead = [item for item in batch.items if item.delivery_id in batch.dead]
    if dead:
        kind = type(dead[0].error).__name__
        await tell_if_possible(dead_letters_text([item.key for item in dead], kind))


async def tell_denied(errors: Iterable[BaseException | None]) -> None:
    """Tell of the first of these that is a refused credential, unless a person just was told."""
    denied = next((error for error in errors if isinstance(error, Denied)), None)
    if denied and await is_due(DENIED_LIMIT):
        await tell_if_possible(denied_text(str(denied)))


async def tell_if_possible(text: str) -> None:
    """Tell the person on duty; an alert that fails is logged, no more."""
    try:
        await tell(text)
    except PotokError as exc:
        log.error("alert.failed reason=%s", exc)


async def is_due(limit: str) -> bool:
    """Whether the limit has room for one more alert; in doubt it has."""
    async with get_client() as client:
        try:
            await client.increment_concurrency_slots([limit], slots=1, mode="rate_limit")
        except HTTPStatusError as exc:
            return exc.response.status_code != codes.LOCKED
        except HTTPError as exc:
            log.warning("alert.limit_away limit=%s kind=%s", limit, type(exc).__name__)
    return True
