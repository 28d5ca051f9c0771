"""The Telegram stand-in over real HTTP: it is as strict as the vendor."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.telegram_box import BOT, TOKEN, Sandbox


async def test_any_well_formed_token_is_a_bot_until_it_is_revoked(box: Sandbox) -> None:
    me = await box.call("getMe")
    assert me["result"]["id"] == 42
    assert me["result"]["is_bot"] is True
    malformed = await box.http.get("/telegram/botnonsense/getMe")
    assert malformed.status_code == 404
    assert malformed.json() == {"ok": False, "error_code": 404, "description": "Not Found"}
    await box.control("revoke", token=TOKEN)
    revoked = await box.call("getMe")
    assert revoked == {"ok": False, "error_code": 401, "description": "Unauthorized"}


async def test_an_unknown_method_is_not_found(box: Sandbox) -> None:
    assert (await box.call("sendLove"))["error_code"] == 404


async def test_parameters_come_in_any_form_and_methods_in_any_case(box: Sandbox) -> None:
    await box.hooked()
    chat_id = (await box.say("Привет"))["chat_id"]
    params = {"chat_id": str(chat_id), "text": "да"}
    answers = [
        await box.http.get(f"{BOT}/sendmessage", params=params),
        await box.http.post(f"{BOT}/SENDMESSAGE", data=params),
        await box.http.post(f"{BOT}/sendMessage", json=params),
        await box.http.post(f"{BOT}/sendMessage", data=params, files={"unused": b"x"}),
    ]
    assert [answer.json()["result"]["text"] for answer in answers] == ["да"] * 4
    broken = await box.http.post(
        f"{BOT}/sendMessage", content="{", headers={"Content-Type": "application/json"}
    )
    assert broken.status_code == 400


@pytest.mark.parametrize(
    ("params", "code", "description"),
    [
        ({"text": "да"}, 400, "Bad Request: chat_id is empty"),
        ({"chat_id": 5, "text": "да"}, 400, "Bad Request: chat not found"),
        ({"chat_id": None, "text": " "}, 400, "Bad Request: message text is empty"),
        ({"chat_id": None, "text": "я" * 4097}, 400, "Bad Request: message is too long"),
        ({"chat_id": None, "text": "да", "parse_mode": "rtf"}, 400, "unsupported parse_mode"),
        ({"chat_id": None, "text": "да", "reply_parameters": "{"}, 400, "can't parse"),
        (
            {"chat_id": None, "text": "да", "reply_parameters": {"message_id": 1}},
            400,
            "message to be replied not found",
        ),
    ],
)
async def test_send_message_refuses_as_the_vendor_does(
    box: Sandbox, params: dict[str, Any], code: int, description: str
) -> None:
    chat_id = (await box.say("Привет", token=TOKEN))["chat_id"]
    if "chat_id" in params and params["chat_id"] is None:
        params = params | {"chat_id": chat_id}
    answer = await box.call("sendMessage", **params)
    assert (answer["ok"], answer["error_code"]) == (False, code)
    assert description in answer["description"]


async def test_who_blocked_the_bot_gets_nothing(box: Sandbox) -> None:
    chat_id = (await box.say("Привет", token=TOKEN))["chat_id"]
    await box.control("block", token=TOKEN, **{"as": "customer-1"})
    answer = await box.call("sendMessage", chat_id=chat_id, text="да")
    assert answer["description"] == "Forbidden: bot was blocked by the user"
    await box.say("я вернулся", token=TOKEN)
    assert (await box.call("sendMessage", chat_id=chat_id, text="да"))["ok"]


async def test_the_pace_of_a_chat_is_limited_when_switched_on(box: Sandbox) -> None:
    chat_id = (await box.say("Привет", token=TOKEN))["chat_id"]
    await box.control("settings", per_chat_s=30)
    assert (await box.call("sendMessage", chat_id=chat_id, text="раз"))["ok"]
    refused = await box.call("sendMessage", chat_id=chat_id, text="два")
    assert refused["error_code"] == 429
    assert refused["parameters"] == {"retry_after": 30}
    assert refused["description"] == "Too Many Requests: retry after 30"


async def test_failures_spoil_the_next_calls_only(box: Sandbox) -> None:
    await box.control("failures", kind="status", status=429, retry_after_s=7, times=1)
    await box.control("failures", kind="status", status=502, times=1, method="getme")
    await box.control("failures", kind="status", status=500, times=1)
    assert (await box.call("getMe"))["parameters"] == {"retry_after": 7}
    page = await box.http.get(f"{BOT}/getMe")
    assert (page.status_code, page.headers["content-type"][:9]) == (502, "text/html")
    assert (await box.call("getMe"))["description"] == "Internal Server Error"
    assert (await box.call("getMe"))["ok"]
    unknown = await box.http.post("/control/telegram/failures", json={"kind": "fire"})
    assert unknown.status_code == 422


@pytest.mark.parametrize(("kind", "sent"), [("hang", 0), ("lost", 1), ("cut", 1)])
async def test_an_answer_can_fail_to_come(box: Sandbox, kind: str, sent: int) -> None:
    chat_id = (await box.say("Привет", token=TOKEN))["chat_id"]
    await box.control("failures", kind=kind, times=1)
    with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
        await box.http.post(
            f"{BOT}/sendMessage", json={"chat_id": chat_id, "text": "да"}, timeout=0.3
        )
    assert (await box.state("sent"))["count"] == sent


async def test_an_answer_can_be_slow(box: Sandbox) -> None:
    await box.control("failures", kind="slow", delay_s=0.2, times=1)
    began = time.monotonic()
    assert (await box.call("getMe"))["ok"]
    assert time.monotonic() - began >= 0.2


async def test_a_bot_edits_its_own_messages_only(box: Sandbox) -> None:
    said = await box.say("Привет", token=TOKEN)
    chat_id = said["chat_id"]
    mine = (await box.call("sendMessage", chat_id=chat_id, text="раз"))["result"]["message_id"]
    edited = await box.call("editMessageText", chat_id=chat_id, message_id=mine, text="два")
    assert edited["result"]["text"] == "два"
    for message_id, text, description in (
        (mine, "два", "message is not modified"),
        (said["message_id"], "x", "message can't be edited"),
        (1, "x", "message to edit not found"),
    ):
        refused = await box.call(
            "editMessageText", chat_id=chat_id, message_id=message_id, text=text
        )
        assert description in refused["description"]


async def test_files_are_sent_by_upload_or_by_id(box: Sandbox) -> None:
    chat_id = (await box.say("Привет", token=TOKEN))["chat_id"]
    for method, kind in (("sendDocument", "document"), ("sendVoice", "voice")):
        uploaded = await box.http.post(
            f"{BOT}/{method}", data={"chat_id": chat_id}, files={kind: ("a.pdf", b"%PDF")}
        )
        file_id = uploaded.json()["result"][kind]["file_id"]
        repeated = await box.call(method, chat_id=chat_id, **{kind: file_id}, caption="вот")
        assert repeated["result"]["caption"] == "вот"
    uploaded = await box.http.post(
        f"{BOT}/sendPhoto", data={"chat_id": chat_id}, files={"photo": ("a.jpg", b"jpeg")}
    )
    assert uploaded.json()["result"]["photo"][0]["file_size"] == 4
    for value, description in (("x", "wrong file identifier"), ("", "there is no photo")):
        refused = await box.call("sendPhoto", chat_id=chat_id, photo=value)
        assert description in refused["description"]
    long = await box.call("sendPhoto", chat_id=chat_id, photo=file_id, caption="я" * 1025)
    assert long["description"] == "Bad Request: message caption is too long"


async def test_actions_and_commands_are_checked(box: Sandbox) -> None:
    chat_id = (await box.say("Привет", token=TOKEN))["chat_id"]
    assert (await box.call("sendChatAction", chat_id=chat_id, action="typing"))["ok"]
    assert not (await box.call("sendChatAction", chat_id=chat_id, action="dance"))["ok"]
    commands = [{"command": "start", "description": "Начать"}]
    assert (await box.call("setMyCommands", commands=commands))["ok"]
    refused = await box.call("setMyCommands", commands=[{"command": "Старт", "description": "x"}])
    assert refused["description"] == "Bad Request: BOT_COMMAND_INVALID"
