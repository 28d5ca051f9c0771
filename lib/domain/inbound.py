"""What comes in by a webhook, in one shape: the contract ``inbound_message.v1``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

SPOKEN = ("voice", "audio", "video_note")  # what has words to be heard; a film seldom has


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Chat(_Part):
    """Where a message was written. ``id`` is in Bot API ("marked") form: channels are −100…."""

    id: int
    type: Literal["private", "group", "supergroup", "channel"] = "private"
    title: str | None = None
    username: str | None = None
    topic_id: int | None = None


class Sender(_Part):
    """Who wrote it. ``phone`` is what Telegram itself says, not what the text says."""

    id: int
    type: Literal["user", "channel", "anonymous"] = "user"
    is_bot: bool = False
    username: str | None = None
    display_name: str | None = None
    phone: str | None = None


class SharedContact(_Part):
    """A contact card that was sent as the message.

    ``user_id`` is whose card it is, None where Telegram does not know: `InboundMessage.own_contact`
    tells the sender's own card from somebody else's.
    """

    phone: str
    name: str | None = None
    user_id: int | None = None


class Media(_Part):
    """A file that belongs to the message; ``size_bytes`` and ``duration_s`` where known."""

    kind: Literal["voice", "audio", "photo", "document", "video", "video_note", "sticker"]
    file_id: str | None = None
    file_unique_id: str | None = None
    mime: str | None = None
    name: str | None = None
    size_bytes: int | None = None
    duration_s: int | None = None
    url: str | None = None
    sha256: str | None = None


class Body(_Part):
    """The message itself. ``edited_at`` is None for a message that was never edited."""

    id: int
    text: str = ""
    reply_to_id: int | None = None
    grouped_id: str | None = None
    edited_at: datetime | None = None


class InboundMessage(_Part):
    """One message from outside, whoever carried it here.

    ``event_id`` names this event: the same event delivered twice has the same one. ``is_heard``
    marks one whose recordings were heard: what they say is in its text.
    """

    event_id: str
    source: Literal["telegram", "forwarder"]
    account: str
    kind: Literal["new", "edited", "deleted"] = "new"
    occurred_at: datetime
    chat: Chat
    message: Body
    sender: Sender
    contact: SharedContact | None = None
    media: tuple[Media, ...] = Field(default=())
    is_heard: bool = False

    @property
    def recordings(self) -> tuple[Media, ...]:
        """What has words that are still to be heard, and can be fetched."""
        if self.is_heard or self.kind == "deleted":
            return ()
        place = "file_id" if self.source == "telegram" else "url"
        return tuple(m for m in self.media if m.kind in SPOKEN and getattr(m, place))

    def heard(self, texts: Sequence[str]) -> Self:
        """The same message with what its recordings say; a later event of the same message.

        Args:
            texts: of each that was heard; when one more is, that is another event.
        """
        said = "\n".join(filter(None, (self.message.text, *texts)))
        again = f":{len(texts)}" if len(texts) > 1 else ""
        return self.model_copy(
            update={
                "event_id": f"{self.event_id}:heard{again}",
                "message": self.message.model_copy(update={"text": said}),
                "is_heard": True,
            }
        )

    @property
    def lane(self) -> str:
        """The chat: messages of one lane are never in two runs at once and keep their order."""
        return f"telegram:{self.chat.id}"

    @property
    def person(self) -> str:
        """Who it is for us: one person has one open lead."""
        return f"telegram:{self.sender.id}"

    @property
    def own_contact(self) -> SharedContact | None:
        """The card, unless it is known to be somebody else's."""
        if self.contact and self.contact.user_id in (None, self.sender.id):
            return self.contact
        return None

    @property
    def ref(self) -> str:
        """Our reference of the message, the same for all its edits."""
        return f"{self.source}:{self.account}:{self.chat.id}:{self.message.id}"
