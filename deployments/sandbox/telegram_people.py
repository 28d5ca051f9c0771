"""People of the Telegram stand-in: what they write becomes the update that a bot is sent."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from deployments.sandbox.telegram_world import Bot, StoredFile, Update, World

CALLBACK_EXPIRY_S = 150
_ENTITIES = {
    "bot_command": re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,64}"),
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "mention": re.compile(r"(?<![\w.+-])@[A-Za-z]\w{3,31}\b"),
    "url": re.compile(r"(?:https?://|t\.me/|www\.)[^\s<>«»]+"),
    "phone_number": re.compile(r"\+\d[\d\- ()]{8,18}\d"),
    "hashtag": re.compile(r"(?<!\S)#\w+"),
}


class Said(BaseModel):
    """What a person does in a chat with a bot.

    Attributes:
        person: any name; the same name is the same person, after a restart too.
        chat: a group's id (negative); None for the private chat.
        name: first and last name; remembered.
        contact: own phone as a string, or a whole Bot API ``Contact``.
        voice_path: an audio file here; OGG becomes a voice message, all else ``audio``.
        forward_from: name of a hidden user whose message is forwarded.
        edit_of: message id of an own message that gets this text.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    text: str = ""
    person: str = Field(default="customer-1", alias="as", min_length=1)
    chat: int | None = None
    name: str | None = None
    username: str | None = None
    contact: str | dict[str, Any] | None = None
    voice_path: str | None = None
    photo_base64: str | None = None
    forward_from: str | None = None
    edit_of: int | None = None
    token: str | None = None


class Spoken(NamedTuple):
    """The update that came of it; None where the bot did not ask for such updates."""

    update: Update | None
    chat_id: int
    message_id: int


def say(world: World, bot: Bot, said: Said) -> Spoken:
    """Make the message and put its update in line.

    A picture is served as it came; Telegram itself would have made it a JPEG.

    Raises:
        ValueError: nothing was said, or an edited message or a file does not exist.
    """
    person = _person(world, said)
    chat = _chat(bot, said, person)
    now = int(time.time())
    if said.edit_of is not None:
        message = _edited(bot, said, chat["id"], now)
        kind = "edited_message"
    else:
        message = {"message_id": 0, "from": person, "chat": chat, "date": now}
        message |= _content(bot, said, person)
        message["message_id"] = bot.next_message_id()
        kind = "message"
    bot.messages[chat["id"], message["message_id"]] = message
    bot.blocked_by.discard(person["id"])
    update = None
    if bot.wants(kind):
        expires_at = time.time() + world.settings.expiry_s
        update = bot.accept(kind, message, f"chat:{chat['id']}", expires_at)
    return Spoken(update, chat["id"], message["message_id"])


def press(world: World, bot: Bot, said: Said, message_id: int) -> Spoken:
    """Press a button under a bot's message; ``said.text`` is the button's data.

    Raises:
        ValueError: there is no such message.
    """
    person = _person(world, said)
    chat = _chat(bot, said, person)
    message = bot.messages.get((chat["id"], message_id))
    if message is None:
        raise ValueError("no such message in this chat")
    query = {"id": str(time.time_ns()), "from": person, "message": message, "data": said.text}
    query["chat_instance"] = str(chat["id"])
    bot.callbacks.add(str(query["id"]))
    update = None
    if bot.wants("callback_query"):
        expires_at = time.time() + CALLBACK_EXPIRY_S
        update = bot.accept("callback_query", query, f"callback:{person['id']}", expires_at)
    return Spoken(update, chat["id"], message_id)


def user_id_of(person: str) -> int:
    """The stable id of a person; past 32 bits, as new accounts are."""
    digest = hashlib.sha256(person.encode()).digest()
    return 10**9 + int.from_bytes(digest[:6], "big") % (7 * 10**9)


def entities_of(text: str) -> list[dict[str, Any]]:
    """Bot API entities of a text; offsets and lengths in UTF-16 code units."""
    found = []
    for kind, form in _ENTITIES.items():
        for match in form.finditer(text):
            offset = len(text[: match.start()].encode("utf-16-le")) // 2
            length = len(match[0].encode("utf-16-le")) // 2
            found.append({"type": kind, "offset": offset, "length": length})
    return sorted(found, key=lambda entity: (entity["offset"], entity["type"]))


def _person(world: World, said: Said) -> dict[str, Any]:
    person = world.people.setdefault(
        said.person,
        {"id": user_id_of(said.person), "is_bot": False, "first_name": said.person},
    )
    if said.name:
        first, _, last = said.name.strip().partition(" ")
        person["first_name"] = first or said.person
        person.pop("last_name", None)
        if last:
            person["last_name"] = last
    if said.username:
        person["username"] = said.username.removeprefix("@")
    person["language_code"] = "ru"
    return dict(person)


def _chat(bot: Bot, said: Said, person: dict[str, Any]) -> dict[str, Any]:
    if said.chat is None or said.chat == person["id"]:
        names = ("id", "first_name", "last_name", "username")
        chat = {name: person[name] for name in names if name in person} | {"type": "private"}
    elif said.chat < 0:
        kind = "supergroup" if said.chat < -(10**12) else "group"
        chat = {"id": said.chat, "title": f"Группа {-said.chat}", "type": kind}
    else:
        raise ValueError("chat is a group's negative id")
    bot.chats[chat["id"]] = chat
    return chat


def _edited(bot: Bot, said: Said, chat_id: int, now: int) -> dict[str, Any]:
    old = bot.messages.get((chat_id, said.edit_of or 0))
    if old is None or old["from"]["id"] != user_id_of(said.person):
        raise ValueError("edit_of is not a message of this person in this chat")
    place = "text" if "text" in old else "caption"
    message = {key: old[key] for key in old if not key.endswith("entities")}
    return message | _text(said.text, place) | {"edit_date": now}


def _text(text: str, place: str) -> dict[str, Any]:
    entities = entities_of(text)
    name = "entities" if place == "text" else "caption_entities"
    return ({place: text} if text else {}) | ({name: entities} if entities else {})


def _content(bot: Bot, said: Said, person: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if said.forward_from:
        origin = {"type": "hidden_user", "sender_user_name": said.forward_from}
        content["forward_origin"] = origin | {"date": int(time.time()) - 60}
    if isinstance(said.contact, str):
        card = {"phone_number": re.sub(r"\D", "", said.contact), "user_id": person["id"]}
        names = {key: person[key] for key in ("first_name", "last_name") if key in person}
        return content | {"contact": card | names}
    if said.contact is not None:
        return content | {"contact": said.contact}
    if said.voice_path is not None:
        return content | _sound(bot, Path(said.voice_path)) | _text(said.text, "caption")
    if said.photo_base64 is not None:
        return content | _photo(bot, said.photo_base64) | _text(said.text, "caption")
    if len(said.text) > 4096:
        raise ValueError("Telegram lets nobody write more than 4096 characters")
    if not said.text.strip():
        raise ValueError("nothing was said: text, contact, voice_path or photo_base64")
    return content | _text(said.text.strip(), "text")


def _sound(bot: Bot, path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ValueError(f"voice_path cannot be read: {exc.strerror}") from exc
    if content[:4] == b"OggS":
        # The last page's granule position counts samples; Opus always counts at 48 kHz.
        last = content.rfind(b"OggS")
        duration_s = int.from_bytes(content[last + 6 : last + 14], "little") // 48_000
        stored = bot.store_file(content, "voice", ".oga", "audio/ogg")
        return {"voice": _fields(stored) | {"duration": duration_s, "mime_type": stored.mime}}
    mime = mimetypes.guess_type(path.name)[0] or "audio/mpeg"
    stored = bot.store_file(content, "music", path.suffix or ".mp3", mime)
    named = {"duration": 0, "mime_type": mime, "file_name": path.name}
    return {"audio": _fields(stored) | named}


def _photo(bot: Bot, encoded: str) -> dict[str, Any]:
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error as exc:
        raise ValueError("photo_base64 is not Base64") from exc
    width, height = 1280, 960
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        width = int.from_bytes(content[16:20], "big")
        height = int.from_bytes(content[20:24], "big")
    stored = bot.store_file(content, "photos", ".jpg", "image/jpeg")
    return {"photo": [_fields(stored) | {"width": width, "height": height}]}


def _fields(stored: StoredFile) -> dict[str, Any]:
    size = len(stored.content)
    return {"file_id": stored.id, "file_unique_id": stored.unique_id, "file_size": size}
