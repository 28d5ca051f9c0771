"""Telling callers that their jobs have ended, by signed webhooks that are repeated until heard."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from datetime import UTC, datetime

import orjson
from standardwebhooks.webhooks import Webhook

from lib.clients.outside import Outside
from lib.domain.speech_jobs import GONE, callback_body, next_callback
from lib.errors import PotokError, Unavailable
from lib.store.speech_jobs import DueCallback, SpeechJobs

log = logging.getLogger(__name__)

LOOKS_EVERY_S = 1.0


class Callbacks:
    """Sends what is due.

    Args:
        jobs: where jobs are kept.
        outside: reaches the callers.
        secret: ``whsec_…`` of Standard Webhooks.
    """

    def __init__(self, jobs: SpeechJobs, outside: Outside, secret: str) -> None:
        self._jobs = jobs
        self._outside = outside
        self._webhook = Webhook(secret)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A job has ended: look at once."""
        self._wake.set()

    async def send_always(self) -> None:
        """Send for ever."""
        while True:
            try:
                due = await self._jobs.due()
                await asyncio.gather(*(self._send(each) for each in due))
            except Unavailable as exc:
                log.warning("callbacks.paused reason=%s", exc)
                due = []
            if not due:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOKS_EVERY_S)
                self._wake.clear()

    async def _send(self, due: DueCallback) -> None:
        now = datetime.now(UTC)
        body = orjson.dumps(callback_body(due.job, now)).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": f"speech-{due.job.id}",  # the same for every try: a caller may know it
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(f"speech-{due.job.id}", now, body),
        }
        try:
            status = await self._outside.post(due.url, body.encode(), headers)
            error = None if 200 <= status < 300 else f"answered {status}"
        except PotokError as exc:
            status, error = 0, str(exc)
        jitter = random.random()  # noqa: S311 — spreads repeats, hides nothing
        pause = None if status == GONE or error is None else next_callback(due.tries + 1, jitter)
        await self._jobs.told(due.job.id, error, pause)
        log.info("callback.tried job=%s error=%s again=%s", due.job.id, error, pause)
