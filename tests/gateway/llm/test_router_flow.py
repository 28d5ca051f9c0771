"""How calls flow: at how many at once, in which order, until the client leaves, or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from lib.store.llm.health import Health, Healths
from tests.gateway.llm.asking import (
    GROQ,
    OLLAMA,
    OPENROUTER,
    alias,
    chat,
    count,
    pair,
    provider,
    streaming,
    text_of,
)
from tests.gateway.llm.open_house import Open, until

CHAT = "/v1/chat/completions"
NAMES = {"groq": "openai/gpt-oss-20b", "openrouter": "deepseek/deepseek-r1-0528"}


def health(provider_: str, *, ok: bool = True, ms: float = 10, usd: str | None = None) -> Health:
    price = Decimal(usd) if usd else None
    state = "ok" if ok else "down"
    at = datetime.now(UTC)
    return Health(provider_, NAMES[provider_], ok, state, "", ms, price, price, None, at)


async def probed(door: Open, *found: Health) -> None:
    await Healths(door.database).write(found)
    await door.house.router.board.read()


async def answered_by(door: Open) -> str:
    text_of(await door.ask(CHAT, chat("pair")))
    return str((await door.calls())[-1]["provider"])


async def test_ollama_is_asked_one_call_at_a_time(door: Open) -> None:
    answers = await asyncio.gather(
        *(door.ask(CHAT, chat("main", f"ping {n}", stream=n % 2 == 0)) for n in range(8))
    )
    assert [answer.status_code for answer in answers] == [200] * 8
    assert (await door.state("ollama"))["max_at_once"] == 1
    calls = await door.calls()
    assert [call["outcome"] for call in calls] == ["ok"] * 8


async def test_a_provider_without_a_limit_is_asked_by_all_at_once(door: Open) -> None:
    alias(door, "solo", GROQ)
    await door.fail("groq", "slow", delay_s=0.3)
    await asyncio.gather(*(door.ask(CHAT, chat("solo")) for _ in range(8)))
    assert (await door.state("groq"))["max_at_once"] == 8


async def test_a_full_queue_is_said_and_goes_to_the_next(door: Open) -> None:
    provider(door, "ollama", queue=1)
    alias(door, "solo", OLLAMA)
    alias(door, "pair", OLLAMA, GROQ)
    await door.fail("ollama", "slow", delay_s=1)
    held = [asyncio.create_task(door.ask(CHAT, chat("solo"))) for _ in range(2)]
    await until(lambda: is_queued(door, 1))
    refused = await door.ask(CHAT, chat("solo"))
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert "wait for it already" in refused.json()["error"]["message"]
    assert text_of(await door.ask(CHAT, chat("pair")))
    assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
    assert {call["provider"] for call in await door.calls()} == {"", "groq", "ollama"}
    assert door.house.router.board.wait_s("ollama/llama3.1:8b") == 0


async def is_queued(door: Open, callers: int) -> bool:
    known = door.house.router.slots._providers.get("ollama")
    return known is not None and bool(known.taken) and known.waiting == callers


async def test_a_client_who_leaves_the_queue_is_not_asked_for(door: Open) -> None:
    await door.fail("ollama", "slow", delay_s=0.5, times=1)
    first = asyncio.create_task(door.ask(CHAT, chat("main")))
    await until(lambda: is_queued(door, 0))
    second = asyncio.create_task(door.ask(CHAT, chat("main")))
    await until(lambda: is_queued(door, 1))
    second.cancel()
    await until(lambda: is_queued(door, 0))
    assert (await first).status_code == 200
    assert (await door.state("ollama"))["counts"]["requests"] == 1
    calls = await until(lambda: recorded(door, 2))
    assert sorted(call["outcome"] for call in calls) == ["cancelled", "ok"]


async def recorded(door: Open, number: int) -> list[dict[str, Any]]:
    calls = await door.calls()
    return calls if len(calls) >= number else []


async def is_cancelled(door: Open, vendor: str) -> bool:
    return await count(door, vendor, "cancelled") == 1


@pytest.mark.parametrize("vendor", ["groq", "ollama"])
async def test_a_client_who_leaves_in_the_middle_stops_the_model(door: Open, vendor: str) -> None:
    alias(door, "solo", {"groq": GROQ, "ollama": OLLAMA}[vendor])
    await door.fail(vendor, "hang_midstream", after_chunks=30, times=1)
    async with streaming(door, chat("solo", "repeat 60", stream=True)) as answer:
        async for text in answer.aiter_text():
            if "слово-1" in text:
                break
    await until(lambda: is_cancelled(door, vendor))
    [call] = await until(lambda: recorded(door, 1))
    assert (call["outcome"], call["status"], call["provider"]) == ("cancelled", 499, vendor)
    assert call["completion_tokens"] > 0
    assert (await door.ask(CHAT, chat("solo"))).status_code == 200  # no place is held


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_who_leaves_before_the_first_token_stops_the_model(
    door: Open, stream: bool
) -> None:
    pair(door)
    await door.fail("groq", "hang")
    asking = asyncio.create_task(door.ask(CHAT, chat(stream=stream)))
    await until(lambda: is_hanging(door))
    asking.cancel()
    await until(lambda: is_cancelled(door, "groq"))
    [call] = await until(lambda: recorded(door, 1))
    assert (call["outcome"], call["status"], call["tries"]) == ("cancelled", 499, None)
    assert await count(door, "openrouter", "requests") == 0
    assert door.house.router.board.wait_s("groq/openai/gpt-oss-20b") == 0


async def is_hanging(door: Open) -> bool:
    return bool((await door.state("groq"))["at_once"])


async def test_the_cheapest_is_asked_first(door: Open) -> None:
    pair(door)
    dear = GROQ | {"price": {"input": 1, "output": 1}}
    alias(door, "pair", dear, OPENROUTER | {"price": {"input": 0.5, "output": 1}}, order="price")
    assert await answered_by(door) == "openrouter"
    await probed(door, health("groq"), health("openrouter", usd="7"))  # the vendor's own word
    assert await answered_by(door) == "groq"


async def test_the_fastest_is_asked_first(door: Open) -> None:
    alias(door, "pair", GROQ, OPENROUTER, order="latency")
    await probed(door, health("groq", ms=900), health("openrouter", ms=100))
    assert await answered_by(door) == "openrouter"
    await probed(door, health("groq", ms=90), health("openrouter", ms=100))
    assert await answered_by(door) == "groq"


async def test_whole_answers_say_nothing_of_the_first_token(door: Open) -> None:
    alias(door, "pair", GROQ, OPENROUTER, order="latency")
    await probed(door, health("groq", ms=100), health("openrouter", ms=900))
    alias(door, "solo", OPENROUTER)
    text_of(await door.ask(CHAT, chat("solo")))
    board = door.house.router.board
    found = board.health(door.house.router.shelf.table.aliases["pair"])
    assert found["openrouter/deepseek/deepseek-r1-0528"].first_token_ms == 900
    assert await answered_by(door) == "groq"
    assert (await door.ask(CHAT, chat("solo", stream=True))).status_code == 200
    found = board.health(door.house.router.shelf.table.aliases["pair"])
    assert 0 < (found["openrouter/deepseek/deepseek-r1-0528"].first_token_ms or 0) < 900


async def test_the_ill_come_last_and_are_asked_all_the_same(door: Open) -> None:
    pair(door)
    await probed(door, health("groq", ok=False), health("openrouter"))
    assert await answered_by(door) == "openrouter"
    await door.fail("openrouter", "status", status=404)
    assert await answered_by(door) == "groq"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat("main", temperature=0)),
        ("/v1/embeddings", {"model": "embed", "input": "ping"}),
        ("/v1/messages", chat("main", temperature=0, max_tokens=100)),
        ("/api/chat", chat("main", stream=False, options={"temperature": 0})),
    ],
)
async def test_a_certain_answer_is_kept(door: Open, path: str, body: dict[str, Any]) -> None:
    first, second = await door.ask(path, body), await door.ask(path, body | {"user": "other"})
    assert first.status_code == 200, first.text
    assert second.content == first.content
    assert await count(door, "ollama", "requests") == 1
    calls = await door.calls()
    assert [call["outcome"] for call in calls] == ["ok", "cached"]
    assert not calls[1]["price_usd"]
    assert (calls[1]["provider"], calls[1]["prompt_tokens"]) == ("", 0)


@pytest.mark.parametrize("fields", [{"temperature": 1}, {}, {"temperature": 0, "stream": True}])
async def test_an_uncertain_answer_or_a_stream_is_not_kept(
    door: Open, fields: dict[str, Any]
) -> None:
    for _ in range(2):
        assert (await door.ask(CHAT, chat("main", **fields))).status_code == 200
    assert await count(door, "ollama", "requests") == 2


async def test_another_question_or_table_has_another_answer(door: Open) -> None:
    async def asked(text: str) -> httpx.Response:
        return await door.ask(CHAT, chat("main", text, temperature=0))

    assert text_of(await asked("one")) != text_of(await asked("two"))
    alias(door, "other", GROQ)
    await asked("one")
    assert await count(door, "ollama", "requests") == 3


async def test_a_failure_is_not_kept(door: Open) -> None:
    await door.fail("ollama", "status", status=400, times=1)
    assert (await door.ask(CHAT, chat("main", temperature=0))).status_code == 400
    assert (await door.ask(CHAT, chat("main", temperature=0))).status_code == 200
