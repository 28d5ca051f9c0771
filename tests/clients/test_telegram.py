"""The Telegram client against the stand-in, over real HTTP."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from telegram.error import TelegramError

from deployments.sandbox.app import create_app
from lib.clients import telegram_errors
from lib.clients.telegram import BotProfile, Telegram
from lib.errors import AnswerLost, Denied, PotokError, RateLimited, Rejected, Unavailable
from tests.sandbox_server import running

SECRET = "AAH-secret_of_the_bot"
TOKEN = f"42:{SECRET}"
PRIVATE = "личное"


@dataclass
class Cloud:
    http: httpx.AsyncClient
    url: str

    async def control(self, command: str, **body: Any) -> Any:
        answer = await self.http.post(f"/control/telegram/{command}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fail(self, kind: str, **more: Any) -> None:
        await self.control("failures", kind=kind, **{"times": 1} | more)

    async def chat(self) -> int:
        return int((await self.control("say", text="Привет", token=TOKEN))["chat_id"])

    async def texts(self) -> list[str]:
        sent = (await self.http.get("/control/telegram/sent")).json()
        return [one["message"]["text"] for one in sent["messages"]]


@pytest.fixture(scope="session")
async def telegram_cloud() -> AsyncIterator[Cloud]:
    async with running(create_app()) as url, httpx.AsyncClient(base_url=url, timeout=10) as http:
        yield Cloud(http, url)


@pytest.fixture
async def cloud(telegram_cloud: Cloud) -> AsyncIterator[Cloud]:
    yield telegram_cloud
    await telegram_cloud.control("reset")


@pytest.fixture
async def bot(cloud: Cloud) -> AsyncIterator[Telegram]:
    async with Telegram(TOKEN, f"{cloud.url}/telegram/", timeout_s=5) as client:
        yield client


@pytest.fixture
async def hasty(cloud: Cloud) -> AsyncIterator[Telegram]:
    async with Telegram(TOKEN, f"{cloud.url}/telegram", timeout_s=0.3) as client:
        yield client


async def test_opening_a_client_asks_nothing(cloud: Cloud) -> None:
    async with Telegram(TOKEN, "http://127.0.0.1:9"):
        pass


async def test_the_bot_says_who_it_is(bot: Telegram) -> None:
    assert await bot.fetch_me() == BotProfile(42, "sandbox_42_bot", "Sandbox")


async def test_a_text_is_sent(cloud: Cloud, bot: Telegram) -> None:
    chat_id = await cloud.chat()
    first, second = await bot.send_text(chat_id, "Приняли"), await bot.send_text(chat_id, "ждите")
    assert second == first + 1
    assert await cloud.texts() == ["Приняли", "ждите"]


async def test_a_text_that_is_too_long_is_not_even_sent(bot: Telegram) -> None:
    with pytest.raises(Rejected, match="4097"):
        await bot.send_text(1, "я" * 4097)


async def test_a_refused_text_is_rejected(cloud: Cloud, bot: Telegram) -> None:
    with pytest.raises(Rejected, match="Chat not found"):
        await bot.send_text(77, "Приняли")
    with pytest.raises(Rejected, match="text is empty"):
        await bot.send_text(await cloud.chat(), " ")


async def test_who_may_not_write_is_denied(cloud: Cloud, bot: Telegram) -> None:
    chat_id = await cloud.chat()
    await cloud.control("block", token=TOKEN, **{"as": "customer-1"})
    with pytest.raises(Denied, match="blocked by the user"):
        await bot.send_text(chat_id, "Приняли")
    await cloud.control("revoke", token=TOKEN)
    with pytest.raises(Denied, match="Unauthorized"):
        await bot.fetch_me()
    with pytest.raises(Denied, match="no bot token"):
        Telegram("")


async def test_a_flood_wait_tells_its_pause(cloud: Cloud, bot: Telegram) -> None:
    chat_id = await cloud.chat()
    await cloud.control("settings", per_chat_s=30)
    await bot.send_text(chat_id, "раз")
    with pytest.raises(RateLimited) as caught:
        await bot.send_text(chat_id, "два")
    assert caught.value.retry_after_s == 30
    assert await cloud.texts() == ["раз"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failing_server_is_unavailable(cloud: Cloud, bot: Telegram, status: int) -> None:
    await cloud.fail("status", status=status)
    with pytest.raises(Unavailable) as caught:
        await bot.fetch_me()
    assert not isinstance(caught.value, AnswerLost)


@pytest.mark.parametrize(("status", "lost"), [(500, False), (502, True), (504, True)])
async def test_a_proxy_cannot_say_whether_a_text_was_sent(
    cloud: Cloud, bot: Telegram, status: int, lost: bool
) -> None:
    chat_id = await cloud.chat()
    await cloud.fail("status", status=status)
    with pytest.raises(Unavailable) as caught:
        await bot.send_text(chat_id, "Приняли")
    assert isinstance(caught.value, AnswerLost) is lost


@pytest.mark.parametrize("kind", ["lost", "cut"])
async def test_a_lost_answer_of_a_text_is_told_as_one(
    cloud: Cloud, hasty: Telegram, kind: str
) -> None:
    chat_id = await cloud.chat()
    await cloud.fail(kind)
    with pytest.raises(AnswerLost):
        await hasty.send_text(chat_id, "Приняли")
    assert await cloud.texts() == ["Приняли"]


async def test_a_slow_answer_is_waited_for_no_longer_than_said(
    cloud: Cloud, hasty: Telegram
) -> None:
    await cloud.fail("slow", delay_s=0.1)
    await hasty.fetch_me()
    await cloud.fail("hang")
    with pytest.raises(Unavailable) as caught:
        await hasty.fetch_me()
    assert not isinstance(caught.value, AnswerLost)


async def test_a_server_that_is_away_sent_nothing() -> None:
    async with Telegram(TOKEN, "http://127.0.0.1:9") as bot:
        with pytest.raises(Unavailable) as caught:
            await bot.send_text(1, "Приняли")
    assert not isinstance(caught.value, AnswerLost)


async def test_a_file_is_fetched(cloud: Cloud, bot: Telegram, tmp_path: Path) -> None:
    path = tmp_path / "voice.oga"
    path.write_bytes(b"OggS" + bytes(100))
    said = await cloud.control("say", voice_path=str(path), token=TOKEN)
    file_id = said["update"]["message"]["voice"]["file_id"]
    assert await bot.fetch_file(file_id) == path.read_bytes()
    with pytest.raises(Rejected, match="104 bytes; 100 is the most"):
        await bot.fetch_file(file_id, max_bytes=100)
    await cloud.fail("status", status=404, method="download")
    with pytest.raises(Unavailable, match="no longer valid"):
        await bot.fetch_file(file_id)
    await cloud.fail("cut", method="download")
    with pytest.raises(Unavailable):
        await bot.fetch_file(file_id)
    with pytest.raises(Rejected, match="Invalid file_id"):
        await bot.fetch_file("nothing")


async def test_a_file_above_telegrams_own_limit_is_rejected(
    cloud: Cloud, bot: Telegram, tmp_path: Path
) -> None:
    path = tmp_path / "long.mp3"
    with path.open("wb") as file:
        file.truncate((20 << 20) + 1)
    said = await cloud.control("say", voice_path=str(path), token=TOKEN)
    with pytest.raises(Rejected, match="too big"):
        await bot.fetch_file(said["update"]["message"]["audio"]["file_id"])


async def test_the_webhook_is_set_again_and_read(cloud: Cloud, bot: Telegram) -> None:
    assert (await bot.fetch_webhook()).url == ""
    for _ in range(2):
        await bot.ensure_webhook("http://127.0.0.1:9/hook", "s3cret", ["message"], 7)
    state = await bot.fetch_webhook()
    assert state.url == "http://127.0.0.1:9/hook"
    assert (state.max_connections, state.allowed_updates) == (7, ("message",))
    assert state.last_error_at is None
    with pytest.raises(Rejected, match="https url"):
        await bot.ensure_webhook("http://bot.example/hook", "s3cret", [])


async def test_no_token_and_no_text_is_told(
    cloud: Cloud, hasty: Telegram, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "voice.oga"
    path.write_bytes(b"OggS")
    chat_id = await cloud.chat()
    await hasty.send_text(chat_id, PRIVATE)
    await hasty.ensure_webhook("http://127.0.0.1:9/hook", "s3cret", [])
    said = await cloud.control("say", voice_path=str(path), token=TOKEN)
    await hasty.fetch_file(said["update"]["message"]["voice"]["file_id"])
    told = [repr(hasty)]
    for kind in ("hang", "cut"):
        await cloud.fail(kind)
        told.append(await _trouble(hasty))
    await cloud.fail("status", status=502)
    told.append(await _trouble(hasty))
    await cloud.control("revoke", token=TOKEN)
    told.append(await _trouble(hasty))
    for base in ("http://127.0.0.1:9", "http://127.0.0.1:port", "nonsense"):
        async with Telegram(TOKEN, base, timeout_s=0.3) as away:
            told.append(await _trouble(away))
    ours = [record for record in caplog.records if record.name != "uvicorn.access"]
    everything = "\n".join([*told, *(record.getMessage() for record in ours)])
    assert SECRET not in everything
    assert PRIVATE not in everything
    assert "s3cret" not in everything


async def _trouble(bot: Telegram) -> str:
    with pytest.raises(PotokError) as caught:
        await bot.send_text(1, PRIVATE)
    return "".join(traceback.format_exception(caught.value))


def test_any_other_error_of_the_library_is_ours_too() -> None:
    error = TelegramError("Invalid server response")
    lost = telegram_errors.ours(error, "sendMessage", write=True)
    assert isinstance(lost, AnswerLost)
