"""What a telegram-forwarder posts becomes an inbound message.

Four shapes are read: the contract ``inbound_message.v1``, a raw Bot API update, the nested
shape of tele-clone (``source`` and ``message``), and a flat one (``chat_id``, ``message_id``, …).
"""

from __future__ import annotations

import hashlib
from typing import Literal, cast

from lib.domain.inbound import Body, Chat, InboundMessage, Media, Sender
from lib.domain.shape import Node, clean_text, moment_from
from lib.domain.telegram import (
    CHANNEL_BASE,
    ChatType,
    MediaKind,
    chat_type_from,
    contact_from,
    full_name_from,
    media_from,
    message_from_update,
)
from lib.errors import Rejected

SCHEMA = "inbound_message.v1"

_KINDS = ("new", "edited", "deleted")
_MEDIA = ("voice", "audio", "photo", "document", "video", "video_note", "sticker")
_SENDERS = ("user", "channel", "anonymous")
_ACCOUNT_LIMIT = 64
_NAMED_ONLY_BASE = -(2**62)  # below every id that Telegram gives out


def message_from_forwarder(body: dict[str, object]) -> InboundMessage:
    """The message that a forwarder's body carries.

    Args:
        body: the parsed JSON body of the hook.

    Raises:
        Rejected: the body is of none of the four shapes, or a needed field is missing.
    """
    root = Node.root(body, "body")
    if root.has("schema"):
        if root.fields["schema"] != SCHEMA:
            raise root.wrong("schema", SCHEMA)
        found = _from_contract(root)
    elif root.has("update_id"):
        found = _from_update(root)
    elif root.maybe("source") and root.maybe("message"):
        found = _from_nested(root)
    else:
        found = _from_flat(root)
    return found.model_copy(update={"event_id": event_id_of(found)})


def event_id_of(message: InboundMessage) -> str:
    """The key of a forwarded event, the same for every forwarder that saw it.

    Private chats and small groups number their messages per account, so theirs name the account.
    A deletion has a key of its own, or it would be taken for the message's second delivery.
    """
    edited_at = message.message.edited_at
    version = str(int(edited_at.timestamp())) if edited_at else "0"
    if message.kind == "deleted":
        version = "deleted"
    place = f"{message.chat.id}:{message.message.id}:{version}"
    if message.chat.type in ("private", "group"):
        return f"forwarder:{message.account}:{place}"
    return f"forwarder:{place}"


def marked_id(chat_id: int, chat_type: ChatType | None) -> int:
    """A chat id in Bot API form: −100… for channels and supergroups, −… for groups.

    Raises:
        Rejected: the id is larger than any that Telegram gives out.
    """
    if chat_id > 0 and chat_type in ("channel", "supergroup"):
        chat_id = CHANNEL_BASE - chat_id
    elif chat_id > 0 and chat_type == "group":
        chat_id = -chat_id
    if chat_id < 4 * CHANNEL_BASE:
        raise Rejected("the chat id is out of Telegram's range")
    return chat_id


def _account_from(node: Node, *keys: str) -> str:
    return node.maybe_text(node.first(*keys), _ACCOUNT_LIMIT) or "forwarder"


def _from_update(root: Node) -> InboundMessage:
    account = _account_from(root, "account", "bot")
    found = message_from_update(account, dict(root.fields))
    if found is None:
        raise Rejected("body carries no message that can be read")
    return found.model_copy(update={"source": "forwarder"})


def _from_contract(root: Node) -> InboundMessage:
    kind = root.fields.get("kind", "new")
    if kind not in _KINDS:
        raise root.wrong("kind", "one of " + ", ".join(_KINDS))
    occurred_at = root.need_moment("occurred_at")
    message = root.need("message")
    edited_at = message.need_moment("edit_date") if message.has("edit_date") else None
    chat = _chat_from(root.need("chat"))
    return InboundMessage(
        event_id="",
        source="forwarder",
        account=_account_from(root, "account"),
        kind=cast(Literal["new", "edited", "deleted"], kind),
        occurred_at=occurred_at,
        chat=chat,
        message=Body(
            id=message.need_id("id"),
            text=message.text("text"),
            reply_to_id=message.maybe_id("reply_to_id"),
            grouped_id=_grouped_id_from(message),
            edited_at=edited_at or (occurred_at if kind == "edited" else None),
        ),
        sender=_sender_from(root.maybe("sender"), chat),
        contact=contact_from(root.maybe("contact") or message.maybe("contact"), phone_key="phone"),
        media=_media_from(root),
    )


def _from_nested(root: Node) -> InboundMessage:
    place, message = root.need("source"), root.need("message")
    chat_id = marked_id(place.need_id(place.first("channel_id", "chat_id", "id")), "channel")
    chat = Chat(
        id=chat_id,
        type="channel" if chat_id < CHANNEL_BASE else "group",
        title=place.maybe_text(place.first("channel_name", "chat_name", "title")),
        topic_id=place.maybe_id("topic_id"),
    )
    receiver = root.maybe("receiver")
    author = message.maybe_text("author")
    if author and author != chat.title:
        sender = Sender(id=_id_from_name(chat.id, author), display_name=author)
    else:
        sender = Sender(id=chat.id, type="channel", display_name=chat.title)
    media_kind = message.fields.get("media_type")
    return InboundMessage(
        event_id="",
        source="forwarder",
        account=_account_from(receiver, "name") if receiver else "forwarder",
        occurred_at=root.need_moment("timestamp"),
        chat=chat,
        message=Body(id=place.need_id("message_id"), text=message.text("text")),
        sender=sender,
        media=(Media(kind=cast(MediaKind, media_kind)),) if media_kind in _MEDIA else (),
    )


def _from_flat(root: Node) -> InboundMessage:
    edited_at = moment_from(root.fields.get(root.first("edit_date", "edited_at")))
    chat = _flat_chat_from(root)
    return InboundMessage(
        event_id="",
        source="forwarder",
        account=_account_from(root, "account", "bot", "receiver"),
        kind="edited" if edited_at else "new",
        occurred_at=edited_at
        or root.need_moment(root.first("date", "timestamp", "occurred_at", "created_at", "time")),
        chat=chat,
        message=Body(
            id=root.need_id(root.first("message_id", "msg_id", "id")),
            text=root.text(root.first("text", "message", "caption", "raw_text", "content")),
            reply_to_id=root.maybe_id(root.first("reply_to_id", "reply_to_msg_id")),
            grouped_id=_grouped_id_from(root),
            edited_at=edited_at,
        ),
        sender=_flat_sender_from(root, chat),
        contact=contact_from(root.maybe("contact"), phone_key="phone"),
        media=_media_from(root),
    )


def _chat_from(node: Node) -> Chat:
    given = node.need_id("id")
    chat_type = chat_type_from(node, given)
    return Chat(
        id=marked_id(given, chat_type),
        type=chat_type,
        title=node.maybe_text("title"),
        username=node.maybe_text("username"),
        topic_id=node.maybe_id("topic_id"),
    )


def _flat_chat_from(root: Node) -> Chat:
    if nested := root.maybe("chat"):
        return _chat_from(nested)
    key = root.first("chat_id", "channel_id", "peer_id", "chat")
    fields: dict[str, object] = {
        "id": root.need_id(key),
        "type": root.fields.get("chat_type") or ("channel" if key == "channel_id" else None),
        "title": root.fields.get(root.first("chat_title", "chat_name", "channel_name")),
        "username": root.fields.get("chat_username"),
        "topic_id": root.fields.get("topic_id"),
    }
    return _chat_from(Node(fields, root.path))


def _sender_from(node: Node | None, chat: Chat) -> Sender:
    """The sender; without an id a channel speaks for itself and a private chat is its person."""
    given = node or Node({}, "body.sender")
    name = given.maybe_text(given.first("display_name", "name")) or full_name_from(given)
    sender_id = given.maybe_id("id")
    kind = given.fields.get("type")
    if kind not in _SENDERS:
        kind = _sender_type_of(chat, is_known=bool(sender_id or name))
    if sender_id is not None and kind == "channel":
        sender_id = marked_id(sender_id, "channel")
    elif sender_id is None and name and chat.type in ("group", "supergroup"):
        sender_id = _id_from_name(chat.id, name)
    return Sender(
        id=chat.id if sender_id is None else sender_id,
        type=cast(Literal["user", "channel", "anonymous"], kind),
        is_bot=given.fields.get("is_bot") is True,
        username=given.maybe_text("username"),
        display_name=name or (chat.title if sender_id is None else None),
        phone=given.maybe_text("phone", 64),
    )


def _sender_type_of(chat: Chat, is_known: bool) -> str:
    if chat.type == "channel":
        return "channel"
    return "user" if is_known or chat.type == "private" else "anonymous"


def _flat_sender_from(root: Node, chat: Chat) -> Sender:
    key = root.first("sender", "from", "author", "user")
    value = root.fields.get(key)
    if nested := root.maybe(key):
        return _sender_from(nested, chat)
    given_id = root.maybe_id(root.first("sender_id", "from_id", "user_id"))
    said = clean_text(value, 256).strip() if isinstance(value, str) else None
    fields: dict[str, object] = {
        "id": root.maybe_id(key) if given_id is None else given_id,
        "username": root.fields.get(root.first("sender_username", "username")),
        "display_name": root.maybe_text(root.first("sender_name", "author_name")) or said,
        "phone": root.fields.get("sender_phone"),
    }
    return _sender_from(Node(fields, "body.sender"), chat)


def _id_from_name(chat_id: int, name: str) -> int:
    """A stable id for a person of whom only the name in one chat is known."""
    digest = hashlib.sha256(f"{chat_id}:{name}".encode()).digest()
    return _NAMED_ONLY_BASE - int.from_bytes(digest[:7])


def _grouped_id_from(node: Node) -> str | None:
    number = node.maybe_id("grouped_id")
    return str(number) if number is not None else node.maybe_text("grouped_id", 64)


def _media_from(root: Node) -> tuple[Media, ...]:
    return tuple(
        media_from(node, cast(MediaKind, node.fields["kind"]))
        for node in root.objects("media")
        if node.fields.get("kind") in _MEDIA
    )
