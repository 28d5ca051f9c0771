"""How the Telegram stand-in delivers updates: order, retries, secret, expiry, getUpdates."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response
from telegram import Update

from deployments.sandbox.telegram_delivery import delay_before_retry
from deployments.sandbox.telegram_people import user_id_of
from tests.sandbox.telegram_box import TOKEN, Sandbox, until


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"url": "http://bot.example/hook"}, "An HTTPS URL must be provided for webhook"),
        ({"url": "https://bot.example:8080/hook"}, "only on ports 80, 88, 443 or 8443"),
        ({"url": "ftp://bot.example/hook"}, "invalid webhook URL specified"),
        ({"url": "https://bot.example:port/hook"}, "invalid webhook URL specified"),
        ({"url": "https://bot.example/", "secret_token": "я"}, "contains unallowed characters"),
        ({"url": "https://bot.example/", "secret_token": "a" * 257}, "secret token is too long"),
    ],
)
async def test_a_bad_webhook_is_refused(
    box: Sandbox, params: dict[str, str], description: str
) -> None:
    answer = await box.call("setWebhook", **params)
    assert answer["error_code"] == 400
    assert description in answer["description"]


async def test_a_webhook_is_set_told_and_deleted(box: Sandbox) -> None:
    await box.hooked(secret_token="s", max_connections=1000, allowed_updates=["message"])
    again = await box.call("setWebhook", url=box.hook_url, secret_token="s", max_connections=100)
    assert again["description"] == "Webhook is already set"
    info = (await box.call("getWebhookInfo"))["result"]
    assert info["url"] == box.hook_url
    assert info["max_connections"] == 100
    assert info["allowed_updates"] == ["message"]
    assert "secret" not in str(info)
    assert (await box.call("deleteWebhook"))["description"] == "Webhook was deleted"
    assert (await box.call("getWebhookInfo"))["result"]["url"] == ""


async def test_an_update_is_delivered_with_the_secret(box: Sandbox) -> None:
    await box.hooked(secret_token="s3cret")
    said = await box.say("Здравствуйте", name="Иван Петров", username="@ivan")
    await box.hook.wait_for(1)
    assert box.hook.secrets == ["s3cret"]
    assert box.hook.came == [said["update"]]
    update = Update.de_json(box.hook.came[0], None)
    assert update.message is not None
    assert update.message.from_user is not None
    assert update.message.from_user.full_name == "Иван Петров"
    assert update.message.from_user.username == "ivan"
    assert update.message.chat.id == said["chat_id"] == user_id_of("customer-1")


async def test_a_refused_update_blocks_its_chat_and_no_other(box: Sandbox) -> None:
    await box.control("settings", retry_factor=0.001)
    box.hook.answers = [Response(status_code=500), Response(status_code=503)]
    await box.hooked()
    first = await box.say("раз", "a")
    await box.hook.wait_for(2)
    second, third = await box.say("два", "a"), await box.say("три", "b")
    await box.hook.wait_for(5)
    order = [update["update_id"] for update in box.hook.came]
    of_a = [one for one in order if one != third["update_id"]]
    assert of_a == [first["update_id"]] * 3 + [second["update_id"]]
    info = (await box.call("getWebhookInfo"))["result"]
    assert info["last_error_message"].startswith("Wrong response from the webhook: 50")


async def test_chats_are_served_at_once_up_to_max_connections(box: Sandbox) -> None:
    box.hook.gate.clear()
    await box.hooked(max_connections=3)
    people = [{"text": "раз", "as": f"person-{n}"} for n in range(8)]
    said = await box.control("say", messages=people)
    assert len({one["chat_id"] for one in said["said"]}) == 8
    await box.hook.wait_for(3)
    assert (await box.state("pending"))["pending"] == 8
    box.hook.gate.set()
    await box.hook.wait_for(8)
    assert box.hook.most_at_once == 3


async def test_one_chat_is_served_one_by_one_in_order(box: Sandbox) -> None:
    await box.hooked()
    said = await box.control("say", messages=[{"text": str(n)} for n in range(20)])
    await box.hook.wait_for(20)
    assert [u["message"]["text"] for u in box.hook.came] == [str(n) for n in range(20)]
    ids = [one["update_id"] for one in said["said"]]
    assert ids == list(range(ids[0], ids[0] + 20))
    assert box.hook.most_at_once == 1


async def test_retry_after_of_the_webhook_is_honoured(box: Sandbox) -> None:
    await box.control("settings", retry_factor=0.01)
    box.hook.answers = [Response(status_code=429, headers={"Retry-After": "10"})]
    await box.hooked()
    await box.say("раз")
    await box.hook.wait_for(2)
    attempts = (await box.state("deliveries"))["deliveries"]
    assert attempts[0]["outcome"] == 429
    await until(lambda: _delivered(box, 1))
    again = (await box.state("deliveries"))["deliveries"][-1]
    assert again["started_at"] - attempts[0]["ended_at"] >= 0.1


async def test_an_update_that_is_too_old_is_dropped(box: Sandbox) -> None:
    await box.control("settings", retry_factor=0.001, expiry_s=0.001)
    box.hook.answers = [Response(status_code=500) for _ in range(30)]
    await box.hooked()
    await box.say("раз")

    async def is_dropped() -> bool:
        attempts = (await box.state("deliveries"))["deliveries"]
        return any(attempt["outcome"] == "expired" for attempt in attempts)

    await until(is_dropped)
    assert (await box.state("pending"))["pending"] == 0


async def test_a_webhook_that_is_gone_is_removed(box: Sandbox) -> None:
    await box.control("settings", retry_factor=0.001, gone_after_s=0)
    box.hook.answers = [Response(status_code=410)]
    await box.hooked()
    await box.say("раз")

    async def is_removed() -> bool:
        return not (await box.call("getWebhookInfo"))["result"]["url"]

    await until(is_removed)
    assert len((await box.call("getUpdates"))["result"]) == 1


async def test_a_webhook_nobody_serves_keeps_its_updates(box: Sandbox) -> None:
    await box.call("setWebhook", url="http://127.0.0.1:9/hook")
    await box.say("раз")

    async def is_refused() -> bool:
        info = (await box.call("getWebhookInfo"))["result"]
        return "Connection refused" in info.get("last_error_message", "")

    await until(is_refused)
    await box.hooked()
    await box.hook.wait_for(1)


async def test_a_method_in_the_answer_is_carried_out_but_for_reads(box: Sandbox) -> None:
    chat_id = user_id_of("customer-1")
    reply = {"method": "sendMessage", "chat_id": chat_id, "text": "Приняли"}
    box.hook.answers = [
        JSONResponse(reply),
        JSONResponse({"method": "deleteWebhook"}),
        JSONResponse(reply | {"chat_id": 1}),
    ]
    await box.hooked()
    await box.control("say", messages=[{"text": "раз"}, {"text": "два"}, {"text": "три"}])
    await until(lambda: _delivered(box, 3))
    sent = (await box.state(f"sent?chat_id={chat_id}"))["messages"]
    assert [one["message"]["text"] for one in sent] == ["Приняли"]
    assert (await box.call("getWebhookInfo"))["result"]["url"] == box.hook_url


async def test_updates_are_delivered_again_as_after_a_lost_answer(box: Sandbox) -> None:
    await box.hooked()
    said = await box.say("раз")
    await box.hook.wait_for(1)
    await box.control("redeliver", update_id=said["update_id"])
    await box.hook.wait_for(2)
    assert box.hook.came[0] == box.hook.came[1]


async def test_get_updates_conflicts_with_a_webhook_and_confirms_by_offset(box: Sandbox) -> None:
    await box.hooked()
    assert (await box.call("getUpdates"))["error_code"] == 409
    await box.call("deleteWebhook")
    asked = asyncio.create_task(box.call("getUpdates", timeout=10))
    ids = [(await box.say(text, token=TOKEN))["update_id"] for text in ("раз", "два", "три")]
    assert (await asked)["result"][0]["update_id"] == ids[0]
    rest = await box.call("getUpdates", offset=ids[1], limit=1)
    assert [update["update_id"] for update in rest["result"]] == ids[1:2]
    last = await box.call("getUpdates", offset=-1)
    assert [update["update_id"] for update in last["result"]] == ids[2:]
    assert (await box.call("getUpdates", offset=ids[2] + 1))["result"] == []


async def test_updates_that_are_not_wanted_are_not_made(box: Sandbox) -> None:
    await box.hooked(allowed_updates=["message"])
    said = await box.say("раз")
    edited = await box.say("раз!", edit_of=said["message_id"])
    assert edited["update_id"] is None


async def _delivered(box: Sandbox, count: int) -> bool:
    attempts = (await box.state("deliveries"))["deliveries"]
    return len([1 for attempt in attempts if attempt["outcome"] == 200]) >= count


@given(failures=st.integers(1, 10**6), retry_after_s=st.none() | st.integers(0, 10**6))
def test_the_pause_before_a_retry_is_bounded(failures: int, retry_after_s: int | None) -> None:
    delay_s = delay_before_retry(failures, retry_after_s)
    assert 0 <= delay_s <= (120 if retry_after_s is None else 3600)


def test_the_pause_doubles_up_to_its_cap() -> None:
    assert [delay_before_retry(n, None) for n in range(1, 7)] == [0, 2, 4, 8, 16, 32]
    assert 60 <= delay_before_retry(50, None) <= 120
