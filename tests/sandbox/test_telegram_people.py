"""People of the Telegram stand-in: what they write, share, edit, press and forward."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from deployments.sandbox.telegram_people import entities_of
from tests.sandbox.telegram_box import OGG, TOKEN, Sandbox


async def test_a_voice_message_is_downloaded_as_it_was(box: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "voice.oga"
    path.write_bytes(OGG)
    said = await box.say(voice_path=str(path), token=TOKEN)
    voice = said["update"]["message"]["voice"]
    assert voice["duration"] == 2
    assert voice["mime_type"] == "audio/ogg"
    file = (await box.call("getFile", file_id=voice["file_id"]))["result"]
    assert file["file_path"] == "voice/file_0.oga"
    content = await box.http.get(f"/telegram/file/bot{TOKEN}/{file['file_path']}")
    assert content.content == OGG
    assert (await box.http.get(f"/telegram/file/bot{TOKEN}/no/such")).status_code == 404
    assert (await box.call("getFile", file_id="x"))["description"] == "Bad Request: invalid file_id"
    other = await box.say(voice_path=str(path), token="43:other")
    assert other["update"]["message"]["voice"]["file_unique_id"] == voice["file_unique_id"]
    assert other["update"]["message"]["voice"]["file_id"] != voice["file_id"]


async def test_a_file_above_20_mb_is_too_big(box: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "long.mp3"
    with path.open("wb") as file:
        file.truncate((20 << 20) + 1)
    said = await box.say(voice_path=str(path), token=TOKEN)
    audio = said["update"]["message"]["audio"]
    answer = await box.call("getFile", file_id=audio["file_id"])
    assert answer["description"] == "Bad Request: file is too big"


async def test_people_edit_share_forward_and_write_in_groups(box: Sandbox) -> None:
    said = await box.say("телефон +7 916 123-45-67", token=TOKEN)
    edited = await box.say("исправил", edit_of=said["message_id"], token=TOKEN)
    message = edited["update"]["edited_message"]
    assert message["message_id"] == said["message_id"]
    assert message["text"] == "исправил"
    assert "entities" not in message
    assert message["edit_date"] >= message["date"]
    shared = await box.say(contact="+7 916 123-45-67", token=TOKEN)
    contact = shared["update"]["message"]["contact"]
    assert (contact["phone_number"], contact["user_id"]) == ("79161234567", said["chat_id"])
    forwarded = await box.say("чужое", forward_from="Пётр", token=TOKEN)
    origin = forwarded["update"]["message"]["forward_origin"]
    assert origin["sender_user_name"] == "Пётр"
    group = await box.say("в группе", chat=-1001234567890, token=TOKEN)
    assert group["update"]["message"]["chat"]["type"] == "supergroup"
    photo = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\0\0\0\x07\0\0\0\x05").decode()
    pictured = await box.say("подпись", photo_base64=photo, token=TOKEN)
    size = pictured["update"]["message"]["photo"][0]
    assert (size["width"], size["height"]) == (7, 5)
    assert pictured["update"]["message"]["caption"] == "подпись"
    for each in (said, edited, shared, forwarded, group, pictured):
        assert Update.de_json(each["update"], None).effective_message is not None


@pytest.mark.parametrize(
    "body",
    [
        {"text": ""},
        {"text": "я" * 4097},
        {"text": "x", "edit_of": 1},
        {"voice_path": "no such file"},
        {"photo_base64": "?"},
        {"text": "x", "chat": 5},
        {"text": "x", "unknown": 1},
        [],
    ],
)
async def test_what_nobody_can_say_is_refused(box: Sandbox, body: Any) -> None:
    if isinstance(body, dict):
        body = body | {"token": TOKEN}
    answer = await box.http.post("/control/telegram/say", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]


async def test_without_a_token_only_one_bot_may_have_a_webhook(box: Sandbox) -> None:
    refused = await box.http.post("/control/telegram/say", json={"text": "раз"})
    assert refused.json()["error"] == "0 bots have a webhook: name one by its token"


async def test_a_button_is_pressed_and_answered_once(box: Sandbox) -> None:
    await box.hooked()
    chat_id = (await box.say("Привет"))["chat_id"]
    asked = (await box.call("sendMessage", chat_id=chat_id, text="Перезвонить?"))["result"]
    pressed = await box.control(
        "press", message_id=asked["message_id"], text="yes", **{"as": "customer-1"}
    )
    query = pressed["update"]["callback_query"]
    assert query["data"] == "yes"
    assert (await box.call("answerCallbackQuery", callback_query_id=query["id"]))["ok"]
    again = await box.call("answerCallbackQuery", callback_query_id=query["id"])
    assert again["description"].startswith("Bad Request: query is too old")


@given(st.text(max_size=60), st.sampled_from(["+7 916 123-45-67", "a@b.ru", "/start"]))
def test_entities_count_utf16_units(before: str, marked: str) -> None:
    text = f"{before} {marked}"
    units = text.encode("utf-16-le")
    cut = [
        units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le")
        for e in entities_of(text)
    ]
    assert marked in cut
