"""People who write to the bot, and the updates that Telegram makes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

_people = count(5_100_000_001)
_updates = count(700_000_001)
_phones = count(9_160_000_001)


def new_phone() -> str:
    """A Russian mobile number that nobody has, E.164."""
    return f"+7{next(_phones)}"


@dataclass
class Person:
    """Somebody in a private chat with the bot; every one is new here.

    ``chat_id`` may be another's: a group.
    """

    name: str = "Анна Петрова"
    id: int = field(default_factory=lambda: next(_people))
    chat_id: int = 0
    messages: Any = field(default_factory=lambda: count(11))

    def __post_init__(self) -> None:
        self.chat_id = self.chat_id or self.id

    def says(self, text: str = "", *, at: int | None = None, **fields: Any) -> dict[str, Any]:
        """The update of a new message; ``at`` is Unix time, now by default."""
        sent = {"message_id": next(self.messages), "date": at or int(time.time()), "text": text}
        return self._update("message", sent | fields)

    def edits(self, message: dict[str, Any], text: str, *, after_s: int) -> dict[str, Any]:
        """The update of an edit, so many seconds after the message."""
        sent = message["message"]
        changed = {"text": text, "edit_date": sent["date"] + after_s}
        return self._update("edited_message", sent | changed)

    def ref(self, update: dict[str, Any]) -> str:
        """Our reference of a message; a lead's origin is the one that opened it."""
        sent = update.get("message") or update["edited_message"]
        return f"telegram:main:{self.chat_id}:{sent['message_id']}"

    def _update(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        first, _, last = self.name.partition(" ")
        sender = {"id": self.id, "is_bot": False, "first_name": first, "language_code": "ru"}
        chat: dict[str, Any] = {"id": self.chat_id, "type": "private", "first_name": first}
        if self.chat_id < 0:
            chat = {"id": self.chat_id, "type": "group", "title": "Общий чат"}
        if last:
            sender["last_name"] = last
        return {"update_id": next(_updates), kind: {**message, "from": sender, "chat": chat}}


def key(update: dict[str, Any]) -> str:
    """The inbox key of an update."""
    return f"telegram:main:{update['update_id']}"
