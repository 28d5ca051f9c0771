"""Telling a person what the dispatcher sees: no flow run is there that could."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from importlib import import_module

from lib.clients.prefect_api import PrefectApi
from lib.domain.texts import BROKEN_OFF, dead_letters_text, refused_text
from lib.errors import PotokError
from lib.store.inbox import Inbox

log = logging.getLogger("potok.alarm")

REFUSED_LIMIT = "potok-alerts-refused"  # provisioned: how often a person is told of it


class Alarm:
    """The person on duty, as the bots' blocks name them.

    Args:
        prefect: where the blocks are.
        inbox: where the messages are.
    """

    def __init__(self, prefect: PrefectApi, inbox: Inbox) -> None:
        self._prefect = prefect
        self._inbox = inbox

    async def tell_dead(self, delivery_ids: Sequence[int]) -> None:
        """Tell of deliveries that are dead; an alert that fails is logged, no more."""
        try:
            found = [await self._inbox.show(str(number)) for number in delivery_ids]
            keys = [delivery.key for delivery in found if delivery]
            await self._tell(dead_letters_text(keys, BROKEN_OFF))
        except PotokError as exc:
            log.error("alarm.failed dead=%d reason=%s", len(delivery_ids), exc)

    async def tell_refused(self, deployment: str) -> None:
        """Tell, now and then, that messages wait for a deployment that is not there."""
        try:
            if await self._prefect.has_room(REFUSED_LIMIT):
                await self._tell(refused_text(deployment))
        except PotokError as exc:
            log.error("alarm.failed deployment=%s reason=%s", deployment, exc)

    async def _tell(self, text: str) -> None:
        for bot in (await self._prefect.block_values("potok-telegram")).values():
            if bot.get("alert_chat_id"):
                await self._send(bot["token"], bot["api_base"], bot["alert_chat_id"], text)

    async def _send(self, token: str, api_base: str, chat_id: int, text: str) -> None:
        # Its import takes 0.4 s and 35 MB, which a worker that tells nobody should not pay.
        client = await asyncio.to_thread(import_module, "lib.clients.telegram")
        async with client.Telegram(token, api_base) as telegram:
            await telegram.send_text(chat_id, text)
