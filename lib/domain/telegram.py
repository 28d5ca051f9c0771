"""A Telegram update becomes an inbound message.

Read by hand: the gateway does this for every delivery, and only a few of the fields matter.

Source: https://core.telegram.org/bots/api (Update, Message), Bot API 10.0, read 2026-11-22.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, cast

from lib.domain.inbound import Body, Chat, InboundMessage, Media, Sender, SharedContact
from lib.domain.shape import Node

Kind = Literal["new", "edited"]
ChatType = Literal["private", "group", "supergroup", "channel"]
MediaKind = Literal["voice", "audio", "photo", "document", "video", "video_note", "sticker"]

CHANNEL_BASE = -1_000_000_000_000  # marked ids of channels and supergroups lie below this

_KINDS: dict[str, Kind] = {
    "message": "new",
    "edited_message": "edited",
    "channel_post": "new",
    "edited_channel_post": "edited",
    "business_message": "new",
    "edited_business_message": "edited",
}
_CHAT_TYPES = ("private", "group", "supergroup", "channel")
_FILES: tuple[MediaKind, ...] = ("voice", "audio", "document", "video", "video_note", "sticker")


def message_from_update(bot: str, update: dict[str, object]) -> InboundMessage | None:
    """The message that an update carries.

    Args:
        bot: our name of the bot that received it.
        update: the parsed JSON body of the webhook.

    Returns:
        The message; None for a kind that is not read (a callback query, a poll, …) and for a
        message without words, contact or file (a service message, a dice, …).

    Raises:
        Rejected: the update is not of the documented shape.
    """
    root = Node.root(update, "update")
    update_id = root.need_id("update_id")
    key = next((key for key in _KINDS if root.has(key)), None)
    if key is None:
        return None
    message = root.need(key)
    if key.endswith("business_message") and _is_from_owner(message):
        return None
    return _message_from(
        message,
        kind=_KINDS[key],
        source="telegram",
        account=bot,
        event_id=f"telegram:{bot}:{update_id}",
    )


def _message_from(
    node: Node,
    *,
    kind: Kind,
    source: Literal["telegram", "forwarder"],
    account: str,
    event_id: str,
) -> InboundMessage | None:
    """A Bot API ``Message`` in our shape; None when there is nothing in it to read.

    Raises:
        Rejected: a field that a message cannot do without is missing or of another shape.
    """
    chat = _chat_from(node)
    contact = contact_from(node.maybe("contact"), phone_key="phone_number")
    sent_at = node.need_moment("date")
    edited_at = node.need_moment("edit_date") if node.has("edit_date") else None
    body = _body_from(node, edited_at)
    sender = _sender_from(node, chat)
    media = _media_from(node)
    if not (body.text or contact or media):
        return None
    return InboundMessage(
        event_id=event_id,
        source=source,
        account=account,
        kind=kind,
        occurred_at=edited_at if kind == "edited" and edited_at else sent_at,
        chat=chat,
        message=body,
        sender=sender,
        contact=contact,
        media=media,
    )


def chat_type_from(node: Node, chat_id: int) -> ChatType:
    """The kind of a chat, by its ``type`` or, when that is absent, by its marked id.

    Raises:
        Rejected: the type is one that Telegram does not have.
    """
    value = node.fields.get("type")
    if value is None:
        if chat_id > 0:
            return "private"
        return "supergroup" if chat_id < CHANNEL_BASE else "group"
    if value not in _CHAT_TYPES:
        raise node.wrong("type", "one of " + ", ".join(_CHAT_TYPES))
    return cast(ChatType, value)


def contact_from(node: Node | None, phone_key: str) -> SharedContact | None:
    """A contact card; None when there is none or it has no phone."""
    phone = node.maybe_text(phone_key, 64) if node else None
    if node is None or phone is None:
        return None
    name = node.maybe_text("name") or full_name_from(node)
    return SharedContact(phone=phone, name=name, user_id=node.maybe_id("user_id"))


def full_name_from(node: Node) -> str | None:
    """First and last name as one; None when a profile has neither."""
    names = (node.maybe_text("first_name"), node.maybe_text("last_name"))
    return " ".join(name for name in names if name) or None


def media_from(node: Node, kind: MediaKind) -> Media:
    """One file; sizes and lengths that make no sense are left out."""
    return Media(
        kind=kind,
        file_id=node.maybe_text("file_id"),
        file_unique_id=node.maybe_text("file_unique_id"),
        mime=node.maybe_text(node.first("mime_type", "mime")),
        name=node.maybe_text(node.first("file_name", "name")),
        size_bytes=node.maybe_id(node.first("file_size", "size")),
        duration_s=node.maybe_id("duration"),
        url=node.maybe_text("url", 2048),
        sha256=node.maybe_text("sha256", 64),
    )


def _is_from_owner(message: Node) -> bool:
    """A business connection also carries what the account's owner writes to a customer."""
    sender, chat = message.maybe("from"), message.maybe("chat")
    return bool(sender and chat and sender.maybe_id("id") != chat.maybe_id("id"))


def _chat_from(node: Node) -> Chat:
    chat = node.need("chat")
    chat_id = chat.need_id("id")
    # A reply in an ordinary group has a thread id too; only this flag makes it a topic.
    topic_id = node.maybe_id("message_thread_id") if node.fields.get("is_topic_message") else None
    return Chat(
        id=chat_id,
        type=chat_type_from(chat, chat_id),
        title=chat.maybe_text("title"),
        username=chat.maybe_text("username"),
        topic_id=topic_id,
    )


def _body_from(node: Node, edited_at: datetime | None) -> Body:
    replied = node.maybe("reply_to_message")
    return Body(
        id=node.need_id("message_id"),
        text=node.text(node.first("text", "caption")),
        reply_to_id=replied.maybe_id("message_id") if replied else None,
        grouped_id=node.maybe_text("media_group_id"),
        edited_at=edited_at,
    )


def _sender_from(node: Node, chat: Chat) -> Sender:
    by_chat = node.maybe("sender_chat")
    if by_chat is not None:
        sender_id = by_chat.need_id("id")
        is_admin = sender_id == chat.id and chat.type != "channel"
        return Sender(
            id=sender_id,
            type="anonymous" if is_admin else "channel",
            username=by_chat.maybe_text("username"),
            display_name=by_chat.maybe_text("title"),
        )
    if chat.type == "channel" and not node.has("from"):
        return Sender(id=chat.id, type="channel", username=chat.username, display_name=chat.title)
    user = node.need("from")
    return Sender(
        id=user.need_id("id"),
        is_bot=user.fields.get("is_bot") is True,
        username=user.maybe_text("username"),
        display_name=full_name_from(user),
    )


def _media_from(node: Node) -> tuple[Media, ...]:
    found = [media_from(file, kind) for kind in _FILES if (file := node.maybe(kind))]
    if sizes := node.objects("photo"):
        largest = max(sizes, key=lambda size: size.maybe_id("width") or 0)
        found.append(media_from(largest, "photo"))
    return tuple(found)
