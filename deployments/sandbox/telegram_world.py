"""What the Telegram stand-in remembers: bots, chats, messages, files, waiting updates."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployments.sandbox.failures import Failures

if TYPE_CHECKING:
    from deployments.sandbox.telegram_delivery import Delivery

KINDS: dict[str, tuple[str, ...]] = {  # the fields that a kind of failure has
    "status": ("status", "retry_after_s"),
    "slow": ("delay_s",),
    "hang": (),
    "lost": (),
    "cut": (),
}
_TOKEN = re.compile(r"(\d{1,16}):[\w-]+", re.ASCII)
_REMEMBERED = 20_000


class ApiError(Exception):
    """A refusal as the Bot API words it."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


@dataclass
class Settings:
    """How the stand-in behaves; all but ``retry_factor`` and the limits is the vendor's.

    Attributes:
        retry_factor: multiplies every delay before a delivery is tried again.
        expiry_s: age after which an undelivered message is dropped; the vendor's is 24 h.
        webhook_timeout_s: how long a webhook may take to answer.
        gone_after_s: how long a webhook may answer 410 before it is removed.
        per_chat_s: seconds between two messages of a bot to one chat; 0 is no limit.
    """

    retry_factor: float = 1.0
    expiry_s: float = 86_400
    webhook_timeout_s: float = 60
    gone_after_s: float = 82_800
    per_chat_s: float = 0


@dataclass
class Update:
    """One update on its way to a bot; ``queue`` is the line it waits in."""

    id: int
    queue: str
    body: dict[str, Any]
    expires_at: float
    failures: int = 0

    @property
    def kind(self) -> str:
        """The update's field: ``message``, ``edited_message``, ``callback_query``."""
        return next(key for key in self.body if key != "update_id")


@dataclass
class Webhook:
    """Where a bot wants its updates, and how the last deliveries went."""

    url: str
    secret: str = ""
    max_connections: int = 40
    custom_certificate: bool = False
    last_error_at: int | None = None
    last_error: str = ""


@dataclass(frozen=True)
class StoredFile:
    """A file as a bot sees it; ``unique_id`` is the same for every bot."""

    id: str
    unique_id: str
    folder: str
    suffix: str
    mime: str
    content: bytes = field(repr=False)


@dataclass
class Bot:
    """One bot and all that it can see."""

    token: str = field(repr=False)
    id: int
    webhook: Webhook | None = None
    allowed: list[str] | None = None
    delivery: Delivery | None = None
    # Random starts: a restarted stand-in must not repeat ids that were used before.
    last_update_id: int = field(default_factory=lambda: random.randrange(10**8, 2 * 10**9))
    last_message_id: int = field(default_factory=lambda: random.randrange(10**5, 10**9))
    chats: dict[int, dict[str, Any]] = field(default_factory=dict)
    messages: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    queues: dict[str, deque[Update]] = field(default_factory=dict)
    history: dict[int, Update] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    paths: dict[str, StoredFile] = field(default_factory=dict)
    callbacks: set[str] = field(default_factory=set)
    blocked_by: set[int] = field(default_factory=set)
    last_sent_at: dict[int, float] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def user(self) -> dict[str, Any]:
        """The bot as the ``from`` of its messages."""
        name = f"sandbox_{self.id}_bot"
        return {"id": self.id, "is_bot": True, "first_name": "Sandbox", "username": name}

    @property
    def pending(self) -> int:
        """Updates that were not yet delivered."""
        return sum(len(queue) for queue in self.queues.values())

    def next_message_id(self) -> int:
        """Private chats and groups of one bot share one numbering."""
        self.last_message_id += 1
        return self.last_message_id

    def wants(self, kind: str) -> bool:
        """Whether ``allowed_updates`` lets this kind through; empty means nearly all."""
        return not self.allowed or kind in self.allowed

    def accept(self, kind: str, content: dict[str, Any], queue: str, expires_at: float) -> Update:
        """Number an update and put it at the end of its queue."""
        self.last_update_id += 1
        body = {"update_id": self.last_update_id, kind: content}
        update = Update(self.last_update_id, queue, body, expires_at)
        self.history[update.id] = update
        if len(self.history) > _REMEMBERED:
            del self.history[next(iter(self.history))]
        self.enqueue(update)
        return update

    def enqueue(self, update: Update) -> None:
        """Put an update, new or repeated, at the end of its queue."""
        self.queues.setdefault(update.queue, deque()).append(update)
        self.news.set()
        if self.delivery is not None:
            self.delivery.wake(update.queue)

    def store_file(self, content: bytes, folder: str, suffix: str, mime: str) -> StoredFile:
        """Keep a file; the same bytes have the same ``unique_id`` everywhere."""
        unique = "AgAD" + hashlib.sha256(content).hexdigest()[:16]
        name = f"AwACAgIAAxk{hashlib.sha256(f'{self.id}:{unique}'.encode()).hexdigest()[:40]}"
        stored = StoredFile(name, unique, folder, suffix, mime, content)
        self.files[name] = stored
        return stored


@dataclass
class World:
    """All bots of one stand-in."""

    bots: dict[str, Bot] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    failures: Failures = field(default_factory=lambda: Failures(KINDS, ("times", "method")))
    sent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    deliveries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    calls: dict[str, int] = field(default_factory=dict)

    def bot(self, token: str) -> Bot:
        """The bot of a token; any well-formed token is one.

        Raises:
            ApiError: 404 for a malformed token, 401 for a revoked one.
        """
        if not (form := _TOKEN.fullmatch(token)):
            raise ApiError(404, "Not Found")
        if token in self.revoked:
            raise ApiError(401, "Unauthorized")
        if token not in self.bots:
            self.bots[token] = Bot(token=token, id=int(form[1]))
        return self.bots[token]

    def the_bot(self, token: str | None) -> Bot:
        """The named bot, or the only one with a webhook.

        Raises:
            ValueError: no bot, or more than one, has a webhook.
        """
        if token:
            return self.bot(token)
        hooked = [bot for bot in self.bots.values() if bot.webhook]
        if len(hooked) != 1:
            raise ValueError(f"{len(hooked)} bots have a webhook: name one by its token")
        return hooked[0]

    def _running(self) -> Iterator[Delivery]:
        return (bot.delivery for bot in self.bots.values() if bot.delivery is not None)

    async def reset(self) -> None:
        """Forget everything."""
        for delivery in list(self._running()):
            await delivery.stop()
        self.bots.clear()
        self.revoked.clear()
        self.people.clear()
        self.settings = Settings()
        self.failures.waiting.clear()
        self.sent.clear()
        self.deliveries.clear()
        self.calls.clear()
