"""Updates travel to a bot's webhook, as Telegram's own ``WebhookActor.cpp`` sends them.

One queue per chat, strictly in order; queues in parallel up to ``max_connections``; an update
that fails blocks its chat until it is taken or expires.

Source: tdlib/telegram-bot-api 01a3679, read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from deployments.sandbox.telegram_world import Bot, Settings, Update, Webhook

_LONGEST_RETRY_AFTER_S = 3600
Execute = Callable[[Bot, dict[str, Any]], Awaitable[None]]


def delay_before_retry(failures: int, retry_after_s: int | None) -> float:
    """Seconds before an update that failed this many times is sent again."""
    if retry_after_s is not None:
        return min(retry_after_s, _LONGEST_RETRY_AFTER_S)
    if failures <= 1:
        return 0
    return min(2.0 ** min(failures - 1, 10), random.uniform(60, 120))


class Delivery:
    """Carries the updates of one bot to one webhook."""

    def __init__(
        self,
        bot: Bot,
        webhook: Webhook,
        settings: Settings,
        log: deque[dict[str, Any]],
        execute: Execute,
    ) -> None:
        self._bot = bot
        self._webhook = webhook
        self._settings = settings
        self._log = log
        self._execute = execute
        self._slots = asyncio.Semaphore(webhook.max_connections)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gone_since: float | None = None
        trusted = webhook.url.startswith("https") and not webhook.custom_certificate
        self._tls = httpx.create_ssl_context(verify=trusted, trust_env=False)
        # One client a connection: a pool of 40 busy ones costs httpx five times the processor.
        self._clients: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []
        for queue in list(bot.queues):
            self.wake(queue)

    def wake(self, queue: str) -> None:
        """See that somebody carries this queue."""
        if queue not in self._tasks:
            self._tasks[queue] = asyncio.create_task(self._drain(queue))

    async def stop(self) -> None:
        """End all deliveries; what was not taken stays in its queue."""
        mine = asyncio.current_task()
        tasks = [task for task in self._tasks.values() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        for client in self._clients:
            await client.aclose()

    def _connection(self) -> httpx.AsyncClient:
        if self._idle:
            return self._idle.pop()
        client = httpx.AsyncClient(
            timeout=self._settings.webhook_timeout_s,
            headers={"Accept-Encoding": "gzip, deflate", "User-Agent": ""},
            verify=self._tls,
            trust_env=False,
        )
        self._clients.append(client)
        return client

    async def _drain(self, name: str) -> None:
        queue = self._bot.queues[name]
        while queue:
            update = queue[0]
            async with self._slots:
                taken, retry_after_s = await self._attempt(update)
            if self._bot.delivery is not self:
                return
            if taken:
                queue.popleft()
                continue
            update.failures += 1
            delay_s = delay_before_retry(update.failures, retry_after_s)
            delay_s *= self._settings.retry_factor
            if time.time() + delay_s > update.expires_at:
                queue.popleft()
                self._note(update, "expired", time.time())
                continue
            await asyncio.sleep(delay_s)
        self._tasks.pop(name, None)
        self._bot.queues.pop(name, None)

    async def _attempt(self, update: Update) -> tuple[bool, int | None]:
        """Send once: whether it was taken, and the Retry-After of a refusal."""
        started_at = time.time()
        headers = {"Content-Type": "application/json"}
        if self._webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self._webhook.secret
        client = self._connection()
        try:
            answer = await client.post(
                self._webhook.url, content=json.dumps(update.body), headers=headers
            )
        except httpx.TimeoutException:
            return self._failed(update, "Read timeout expired", started_at), None
        except httpx.ConnectError:
            return self._failed(update, "Connection refused", started_at), None
        except httpx.HTTPError:
            return self._failed(update, "Connection reset by peer", started_at), None
        finally:
            self._idle.append(client)
        if not answer.is_success:
            await self._count_gone(answer.status_code)
            reason = f"{answer.status_code} {answer.reason_phrase}"
            error = f"Wrong response from the webhook: {reason}"
            wait = answer.headers.get("Retry-After", "")
            self._failed(update, error, started_at, answer.status_code)
            return False, int(wait) if wait.isascii() and wait.isdigit() else None
        self._gone_since = None
        self._note(update, answer.status_code, started_at)
        await self._reply(answer)
        return True, None

    async def _reply(self, answer: httpx.Response) -> None:
        """Carry out a method that came in the answer; nobody sees its result."""
        with contextlib.suppress(ValueError):
            body = answer.json() if answer.content else None
            if isinstance(body, dict) and isinstance(body.get("method"), str):
                await self._execute(self._bot, body)

    async def _count_gone(self, status: int) -> None:
        if status != http.HTTPStatus.GONE:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = time.time()
        if self._gone_since is None or self._bot.delivery is not self:
            return
        if time.time() - self._gone_since >= self._settings.gone_after_s:
            self._bot.webhook = self._bot.delivery = None
            await self.stop()

    def _failed(
        self, update: Update, error: str, started_at: float, status: int | None = None
    ) -> bool:
        self._webhook.last_error_at = int(time.time())
        self._webhook.last_error = error
        self._note(update, error if status is None else status, started_at)
        return False

    def _note(self, update: Update, outcome: int | str, started_at: float) -> None:
        self._log.append(
            {
                "bot_id": self._bot.id,
                "update_id": update.id,
                "queue": update.queue,
                "attempt": update.failures + 1,
                "outcome": outcome,
                "started_at": started_at,
                "ended_at": time.time(),
            }
        )
