"""The hooks in process, with a bot and a forwarder that may knock."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from fastapi import FastAPI
from standardwebhooks import Webhook

from lib.gateway.crm_hooks import crm_hooks_router
from lib.gateway.hooks import DoorKeys, hooks_router
from lib.gateway.speech_hooks import speech_hooks_router
from lib.store.engine import Database
from lib.store.inbox import Inbox

BOT_SECRET = "bot-secret-7"
SECRET = "whsec_" + b64encode(b"the forwarder's secret").decode()
EVENT_TOKEN = "event-token-9"
SPEECH_SECRET = "whsec_" + b64encode(b"the speech service's").decode()
OLD_SECRET = "whsec_" + b64encode(b"the one before").decode()
OTHER_SECRET = "whsec_" + b64encode(b"somebody else's").decode()


@dataclass
class Doors:
    """The doors."""

    app: FastAPI
    client: httpx.AsyncClient

    async def telegram(
        self,
        body: Any,
        *,
        bot: str = "main",
        secret: str | None = BOT_SECRET,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Post an update as Telegram does."""
        named = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret is not None else {}
        return await self.client.post(
            f"/hooks/telegram/{bot}", content=as_bytes(body), headers=named | (headers or {})
        )

    async def bitrix24(self, body: bytes | dict[str, Any]) -> httpx.Response:
        """Post an event as Bitrix24 does; a dict is its form."""
        content = body if isinstance(body, bytes) else urlencode(body).encode()
        form = {"content-type": "application/x-www-form-urlencoded"}
        return await self.client.post("/hooks/bitrix24", content=content, headers=form)

    async def forwarder(
        self, body: Any, *, headers: dict[str, str] | None = None, secret: str = SECRET
    ) -> httpx.Response:
        """Post a message as a forwarder does, signed unless headers are given."""
        content = as_bytes(body)
        signed = headers if headers is not None else signature(content, secret)
        return await self.client.post("/hooks/forwarder", content=content, headers=signed)


@asynccontextmanager
async def doors_of(database: Database, keys: DoorKeys | None = None) -> AsyncIterator[Doors]:
    """Doors over a database's inbox."""
    keys = keys or DoorKeys(
        {"main": BOT_SECRET}, (SECRET, OLD_SECRET), {"main": EVENT_TOKEN}, (SPEECH_SECRET,)
    )
    app = FastAPI()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        doors = Doors(app, client)
        app.include_router(hooks_router(Inbox(database), keys))
        app.include_router(crm_hooks_router(Inbox(database), keys))
        app.include_router(speech_hooks_router(Inbox(database), keys))
        yield doors


def as_bytes(body: Any) -> Any:
    """A body ready to send; bytes and streams as they are."""
    if isinstance(body, dict | list | str | int | float | bool | None):
        return orjson.dumps(body)
    return body


def signature(
    content: bytes,
    secret: str = SECRET,
    *,
    age: timedelta = timedelta(),
    message_id: str = "msg_1",
) -> dict[str, str]:
    """Standard Webhooks headers for a body."""
    at = datetime.now(UTC) - age
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(
            message_id, at, content.decode("utf-8", "surrogateescape")
        )
        if _is_text(content)
        else "v1,AAAA",
    }


def crm_event(name: str = "ONCRMLEADUPDATE", **fields: Any) -> dict[str, Any]:
    """The form of an event of the outgoing webhook, as the vendor's page shows it."""
    return {
        "event": name,
        "event_handler_id": "707",
        "data[FIELDS][ID]": "1000983",
        "ts": "1742807175",
        "auth[domain]": "p.bitrix24.ru",
        "auth[client_endpoint]": "https://p.bitrix24.ru/rest/",
        "auth[server_endpoint]": "https://oauth.bitrix.info/rest/",
        "auth[member_id]": "a223c6b3710f85df22e9377d6c4f7553",
        "auth[application_token]": EVENT_TOKEN,
    } | fields


def contract(**fields: Any) -> dict[str, Any]:
    """A body of inbound_message.v1."""
    return {
        "schema": "inbound_message.v1",
        "event_id": "x",
        "account": "office",
        "kind": "new",
        "occurred_at": "2026-11-22T09:00:00Z",
        "chat": {"id": 7, "type": "private", "title": None},
        "message": {"id": 5, "text": "Здравствуйте"},
        "sender": {"id": 7, "type": "user", "display_name": "Анна Петрова"},
    } | fields


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
