"""Bot API methods by which a bot gets its updates: webhook or getUpdates."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from typing import Any
from urllib.parse import urlsplit

from deployments.sandbox.telegram_call import Answer, Call
from deployments.sandbox.telegram_delivery import Delivery, Execute
from deployments.sandbox.telegram_world import ApiError, Bot, Update, Webhook

_SECRET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_PORTS = {443, 80, 88, 8443}
_CONFLICT = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


def webhook_from(call: Call) -> Webhook:
    """The webhook that a call asks for.

    A plain http URL is taken on a loopback address only: there this stands in for a local Bot API
    server, which takes any address and port. Every other URL has to be what api.telegram.org takes.

    Raises:
        ApiError: the URL or the secret is refused.
    """
    url, secret = call.text("url"), call.text("secret_token")
    if len(secret) > 256:
        raise ApiError(400, "Bad Request: secret token is too long")
    if not _SECRET.fullmatch(secret):
        raise ApiError(400, "Bad Request: secret token contains unallowed characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in {"http", "https"}:
        raise ApiError(400, "Bad Request: invalid webhook URL specified")
    if not _is_loopback(host):
        if parts.scheme != "https":
            raise ApiError(
                400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
            )
        if (port or 443) not in _PORTS:
            raise ApiError(
                400,
                "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
            )
    limit = min(max(call.number("max_connections", 40), 1), 100)
    return Webhook(url, secret, limit, custom_certificate="certificate" in call.uploads)


async def set_webhook(call: Call, execute: Execute) -> Answer:
    """Point a bot's updates at a URL; an empty one removes the webhook."""
    if not call.text("url"):
        return await delete_webhook(call)
    bot, webhook = call.bot, webhook_from(call)
    _set_allowed(call)
    if call.is_true("drop_pending_updates"):
        bot.queues.clear()
    old = bot.webhook
    if old is not None and _same(old, webhook):
        return Answer(True, "Webhook is already set")
    await _stop(bot)
    bot.webhook = webhook
    bot.delivery = Delivery(bot, webhook, call.world.settings, call.world.deliveries, execute)
    return Answer(True, "Webhook was set")


async def delete_webhook(call: Call) -> Answer:
    """Stop sending; what waits is kept for getUpdates."""
    was_set = call.bot.webhook is not None
    await _stop(call.bot)
    if call.is_true("drop_pending_updates"):
        call.bot.queues.clear()
    return Answer(True, "Webhook was deleted" if was_set else "Webhook is already deleted")


async def webhook_info(call: Call) -> dict[str, Any]:
    """Where the updates go, how many wait, and the last trouble."""
    webhook = call.bot.webhook or Webhook("")
    info: dict[str, Any] = {
        "url": webhook.url,
        "has_custom_certificate": webhook.custom_certificate,
        "pending_update_count": call.bot.pending,
    }
    if webhook.url:
        info["max_connections"] = webhook.max_connections
    if webhook.last_error_at is not None:
        info["last_error_date"] = webhook.last_error_at
        info["last_error_message"] = webhook.last_error
    if call.bot.allowed:
        info["allowed_updates"] = call.bot.allowed
    return info


async def get_updates(call: Call) -> list[dict[str, Any]]:
    """Updates in order of their ids; an offset confirms all before it."""
    bot = call.bot
    if bot.webhook is not None:
        raise ApiError(409, _CONFLICT)
    _set_allowed(call)
    limit = min(max(call.number("limit", 100), 1), 100)
    _confirm(bot, call.number("offset"))
    deadline = time.monotonic() + min(max(call.number("timeout"), 0), 50)
    while not (waiting := _in_order(bot)):
        bot.news.clear()
        try:
            await asyncio.wait_for(bot.news.wait(), max(deadline - time.monotonic(), 0))
        except TimeoutError:
            return []
        if bot.webhook is not None:
            raise ApiError(409, "Conflict: terminated by setWebhook request")
    return [update.body for update in waiting[:limit]]


def _in_order(bot: Bot) -> list[Update]:
    now = time.time()
    waiting = [update for queue in bot.queues.values() for update in queue]
    return sorted((u for u in waiting if u.expires_at > now), key=lambda update: update.id)


def _confirm(bot: Bot, offset: int) -> None:
    if offset < 0:
        kept = _in_order(bot)[offset:]
        offset = kept[0].id if kept else 0
    for name, queue in list(bot.queues.items()):
        while queue and queue[0].id < offset:
            queue.popleft()
        if not queue:
            del bot.queues[name]


def _set_allowed(call: Call) -> None:
    allowed = call.structure("allowed_updates")
    if isinstance(allowed, list):
        call.bot.allowed = [str(kind) for kind in allowed]


def _same(old: Webhook, new: Webhook) -> bool:
    return (old.url, old.secret, old.max_connections, old.custom_certificate) == (
        new.url,
        new.secret,
        new.max_connections,
        new.custom_certificate,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _stop(bot: Bot) -> None:
    delivery, bot.delivery, bot.webhook = bot.delivery, None, None
    if delivery is not None:
        await delivery.stop()
    bot.news.set()
