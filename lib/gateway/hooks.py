"""The doors that messages come in by. A delivery is answered 200 only after it is committed."""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

from lib.domain.forwarder import message_from_forwarder
from lib.domain.inbound import InboundMessage
from lib.domain.telegram import message_from_update
from lib.errors import BadSignature, PotokError, Rejected, Unavailable
from lib.gateway import metrics
from lib.gateway.body import TooLarge, TooSlow, json_object_from, read_body
from lib.store.events import message_delivery
from lib.store.failures import StatementFailed
from lib.store.inbox import Inbox, NewDelivery

log = logging.getLogger(__name__)

_SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=")  # 32 bytes in base64


class UnknownDoor(Rejected):
    """There is no such bot, or no portal's events are taken."""


@dataclass(slots=True)
class DoorKeys:
    """Who may knock. Filled by the composition root, and again when the blocks change.

    Attributes:
        bots: webhook secrets by bot name.
        forwarder: Standard Webhooks secrets; two while one replaces the other.
        portals: application tokens of outgoing webhooks by portal name.
        speech: Standard Webhooks secrets of speech services.
    """

    bots: dict[str, str] = field(default_factory=dict, repr=False)
    forwarder: tuple[str, ...] = field(default=(), repr=False)
    portals: dict[str, str] = field(default_factory=dict, repr=False)
    speech: tuple[str, ...] = field(default=(), repr=False)

    def check_bot(self, bot: str, secret: str) -> None:
        """Raise unless the bot exists and this is its secret."""
        expected = self.bots.get(bot)
        if expected is None:
            raise UnknownDoor(f"no bot named {bot!r}; see `potok doctor`")
        if not expected or not hmac.compare_digest(expected.encode(), secret.encode()):
            raise BadSignature("X-Telegram-Bot-Api-Secret-Token is missing or wrong")

    def check_has_portal(self, portal: str) -> None:
        """Raise unless events of this portal are taken."""
        if not self.portals.get(portal):
            raise UnknownDoor(f"no event token of portal {portal!r}; see `potok doctor`")

    def check_portal(self, portal: str, token: str) -> None:
        """Raise unless the portal's events are taken and this is its application token."""
        self.check_has_portal(portal)
        if not hmac.compare_digest(self.portals[portal].encode(), _as_bytes(token)):
            raise BadSignature("auth[application_token] is missing or wrong")


def check_signed(secrets: Sequence[str], raw: bytes, headers: dict[str, str]) -> None:
    """Raise unless one of these secrets signed this body, within five minutes of now.

    One good signature is enough, whatever stands beside it: other versions, other secrets,
    nonsense. The library would stop at the first that is malformed.
    """
    given = headers.get("webhook-signature", "").split()
    well_formed = " ".join(one for one in given if _SIGNATURE.fullmatch(one))
    headers = headers | {"webhook-signature": well_formed}
    for secret in secrets:
        try:
            Webhook(secret).verify(raw, headers, json_parse=False)
        except (WebhookVerificationError, EmptyWebhookSecretError, ValueError) as exc:
            # ValueError: a malformed body or secret, which the library lets out.
            log.debug("webhook.signature_refused kind=%s", type(exc).__name__)
        else:
            return
    raise BadSignature("webhook-id, webhook-timestamp or webhook-signature is missing or wrong")


def delivery_from(message: InboundMessage, raw: bytes) -> NewDelivery:
    """A message as the inbox keeps it, with the body as it came."""
    return message_delivery(message, raw.decode("utf-8", "replace").replace("\x00", ""))


def hooks_router(inbox: Inbox, keys: DoorKeys) -> APIRouter:
    """The webhook doors over an inbox."""
    router = APIRouter(prefix="/hooks")

    async def accept(message: InboundMessage | None, raw: bytes) -> dict[str, object]:
        if message is None:
            return {"ok": True, "result": "ignored"}
        if not await inbox.accept(delivery_from(message, raw)):
            return {"ok": True, "result": "duplicate"}
        return {"ok": True, "result": "accepted"}

    @router.post("/telegram/{bot}")
    async def telegram(bot: str, request: Request) -> JSONResponse:
        async def work() -> dict[str, object]:
            keys.check_bot(bot, request.headers.get("x-telegram-bot-api-secret-token", ""))
            raw = await read_body(request)
            return await accept(message_from_update(bot, json_object_from(raw)), raw)

        return await answered("telegram", work)

    @router.post("/forwarder")
    async def forwarder(request: Request) -> JSONResponse:
        async def work() -> dict[str, object]:
            raw = await read_body(request)
            check_signed(keys.forwarder, raw, dict(request.headers))
            return await accept(message_from_forwarder(json_object_from(raw)), raw)

        return await answered("forwarder", work)

    return router


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


async def answered(door: str, work: Callable[[], Awaitable[dict[str, object]]]) -> JSONResponse:
    """What a door's work gives, or its error as an answer; both are counted."""
    started = time.perf_counter()
    headers = {}
    try:
        body = await work()
        status, result = 200, str(body["result"])
    except (PotokError, StatementFailed) as exc:
        status, result = _status(exc), type(exc).__name__
        body = {"ok": False, "error": result, "detail": str(exc)}
        if status == 503:
            headers = {"Retry-After": "1"}
        elif isinstance(exc, TooLarge | TooSlow):
            headers = {"Connection": "close"}  # the rest of the body may follow
        if isinstance(exc, StatementFailed):
            log.error("hook.failed door=%s reason=%s", door, exc)  # a bug: it names the SQLSTATE
        else:
            log.info("hook.refused door=%s status=%d reason=%s", door, status, result)
    metrics.DELIVERIES.labels(door, result).inc()
    metrics.ANSWER_SECONDS.labels(door).observe(time.perf_counter() - started)
    return JSONResponse(body, status, headers)


def _status(error: Exception) -> int:
    """The HTTP status that says whose fault it is, and whether to come again."""
    statuses: tuple[tuple[type[PotokError], int], ...] = (
        (UnknownDoor, 404),
        (BadSignature, 401),
        (TooLarge, 413),
        (TooSlow, 408),
        (Rejected, 422),
        (Unavailable, 503),
    )
    return next((status for kind, status in statuses if isinstance(error, kind)), 503)
