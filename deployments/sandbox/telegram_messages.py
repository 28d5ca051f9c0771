"""Bot API methods that write to people or answer them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from deployments.sandbox.telegram_call import Call
from deployments.sandbox.telegram_people import entities_of
from deployments.sandbox.telegram_world import ApiError

_TEXT_CHARS = 4096
_CAPTION_CHARS = 1024
_UPLOAD_BYTES = 50 << 20
_DOWNLOAD_BYTES = 20 << 20
_PARSE_MODES = {"", "html", "markdown", "markdownv2"}
_COMMAND = re.compile(r"/?[a-z0-9_]{1,32}", re.ASCII)
_ACTIONS = re.compile(
    "typing|(upload|record)_(video|voice|video_note)|upload_(photo|document)"
    "|choose_sticker|find_location"
)
_NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)


async def send_message(call: Call) -> dict[str, Any]:
    """A text from the bot."""
    return _sent(call, lambda: _body(call, "text", "message text is empty"))


async def edit_message_text(call: Call) -> dict[str, Any]:
    """A new text in one of the bot's own messages."""
    chat = call.chat()
    old = call.bot.messages.get((chat["id"], call.number("message_id")))
    if old is None:
        raise ApiError(400, "Bad Request: message to edit not found")
    if old["from"]["id"] != call.bot.id or "text" not in old:
        raise ApiError(400, "Bad Request: message can't be edited")
    body = _body(call, "text", "message text is empty")
    if body["text"] == old["text"] and call.structure("reply_markup") == old.get("reply_markup"):
        raise ApiError(400, _NOT_MODIFIED)
    kept = {key: old[key] for key in ("message_id", "from", "chat", "date")}
    message = kept | body | {"edit_date": int(time.time())}
    return _remembered(call, message)


async def send_document(call: Call) -> dict[str, Any]:
    """A file from the bot."""
    return _sent(call, lambda: _file(call, "document", "documents", ".bin"))


async def send_photo(call: Call) -> dict[str, Any]:
    """A picture from the bot."""
    return _sent(call, lambda: _file(call, "photo", "photos", ".jpg"))


async def send_voice(call: Call) -> dict[str, Any]:
    """A voice message from the bot."""
    return _sent(call, lambda: _file(call, "voice", "voice", ".oga"))


async def send_chat_action(call: Call) -> bool:
    """«Typing…» and the like."""
    call.chat()
    if not _ACTIONS.fullmatch(call.text("action").lower()):
        raise ApiError(400, "Bad Request: wrong parameter action in request")
    return True


async def answer_callback_query(call: Call) -> bool:
    """Take the clock off a pressed button; once for each press."""
    if call.text("callback_query_id") not in call.bot.callbacks:
        raise ApiError(
            400,
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        )
    call.bot.callbacks.discard(call.text("callback_query_id"))
    return True


async def get_file(call: Call) -> dict[str, Any]:
    """Where a file can be downloaded; 20 MB is the most."""
    stored = call.bot.files.get(call.text("file_id"))
    if stored is None:
        raise ApiError(400, "Bad Request: invalid file_id")
    if len(stored.content) > _DOWNLOAD_BYTES:
        raise ApiError(400, "Bad Request: file is too big")
    known = (path for path, file in call.bot.paths.items() if file is stored)
    path = next(known, f"{stored.folder}/file_{len(call.bot.paths)}{stored.suffix}")
    call.bot.paths[path] = stored
    return {
        "file_id": stored.id,
        "file_unique_id": stored.unique_id,
        "file_size": len(stored.content),
        "file_path": path,
    }


async def set_my_commands(call: Call) -> bool:
    """The menu of the bot."""
    commands = call.structure("commands")
    if not isinstance(commands, list) or len(commands) > 100:
        raise ApiError(400, "Bad Request: can't parse commands JSON object")
    for command in commands:
        name = command.get("command") if isinstance(command, dict) else None
        if not isinstance(name, str) or not _COMMAND.fullmatch(name):
            raise ApiError(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description") or "")) <= 256:
            raise ApiError(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    return True


def _sent(call: Call, content: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Check in the vendor's order: chat, content, pace; then remember the message."""
    chat = call.chat()
    made = content()
    reply = call.structure("reply_parameters") or {}
    reply_to = reply.get("message_id") or call.number("reply_to_message_id")
    answered = call.bot.messages.get((chat["id"], reply_to)) if reply_to else None
    if reply_to and answered is None and not reply.get("allow_sending_without_reply"):
        raise ApiError(400, "Bad Request: message to be replied not found")
    _check_pace(call, chat["id"])
    message = {"message_id": call.bot.next_message_id(), "from": call.bot.user, "chat": chat}
    message |= {"date": int(time.time())} | made
    if answered is not None:
        message["reply_to_message"] = answered
    return _remembered(call, message)


def _check_pace(call: Call, chat_id: int) -> None:
    pace_s, now = call.world.settings.per_chat_s, time.monotonic()
    left_s = call.bot.last_sent_at.get(chat_id, -math.inf) + pace_s - now
    if pace_s and left_s > 0:
        wait_s = math.ceil(left_s)
        raise ApiError(429, f"Too Many Requests: retry after {wait_s}", retry_after=wait_s)
    call.bot.last_sent_at[chat_id] = now


def _remembered(call: Call, message: dict[str, Any]) -> dict[str, Any]:
    if (markup := call.structure("reply_markup")) is not None:
        message["reply_markup"] = markup
    call.bot.messages[message["chat"]["id"], message["message_id"]] = message
    call.world.sent.append({"bot_id": call.bot.id, "method": call.method, "message": message})
    return message


def _body(call: Call, place: str, empty: str = "") -> dict[str, Any]:
    """Text or caption with its entities; an absent caption is nothing."""
    if call.text("parse_mode").lower() not in _PARSE_MODES:
        raise ApiError(400, "Bad Request: unsupported parse_mode")
    text = call.text(place).strip()
    if not text and empty:
        raise ApiError(400, f"Bad Request: {empty}")
    if len(text) > (_TEXT_CHARS if place == "text" else _CAPTION_CHARS):
        raise ApiError(
            400,
            "Bad Request: "
            + ("message is too long" if place == "text" else "message caption is too long"),
        )
    name = "entities" if place == "text" else "caption_entities"
    entities = entities_of(text)
    return ({place: text} if text else {}) | ({name: entities} if entities else {})


def _file(call: Call, kind: str, folder: str, suffix: str) -> dict[str, Any]:
    value = call.text(kind)
    upload = call.uploads.get(value.removeprefix("attach://") or kind)
    if upload is not None:
        if not upload.content:
            raise ApiError(400, "Bad Request: file must be non-empty")
        if len(upload.content) > _UPLOAD_BYTES:
            raise ApiError(413, "Request Entity Too Large")
        suffix = PurePath(upload.name).suffix or suffix
        stored = call.bot.store_file(upload.content, folder, suffix, upload.mime)
    elif value in call.bot.files:
        stored = call.bot.files[value]
    elif value:
        raise ApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")
    else:
        raise ApiError(400, f"Bad Request: there is no {kind} in the request")
    fields: dict[str, Any] = {"file_id": stored.id, "file_unique_id": stored.unique_id}
    fields["file_size"] = len(stored.content)
    if kind == "photo":
        return {"photo": [fields | {"width": 1280, "height": 960}]} | _body(call, "caption")
    if kind == "voice":
        return {"voice": fields | {"duration": 0, "mime_type": "audio/ogg"}} | _body(
            call, "caption"
        )
    named = {"file_name": upload.name} if upload is not None else {}
    return {"document": fields | named | {"mime_type": stored.mime}} | _body(call, "caption")
