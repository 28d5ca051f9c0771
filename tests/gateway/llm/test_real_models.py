"""Real models: asked for by keys made for them, and by no budget that could not count them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lib.domain.llm.keys import budget_from
from lib.store.llm.health import Healths
from tests.gateway.llm.asking import GROQ, alias, chat, count, text_of
from tests.gateway.llm.open_house import EVERYTHING, Open, is_error
from tests.gateway.llm.test_router_flow import health, probed

CHAT = "/v1/chat/completions"
UNKNOWN = "groq/llama-3.3-70b-versatile"
BUDGET = budget_from("1usd/day")


async def test_every_alias_is_no_real_model(door: Open) -> None:
    key = await door.new_key("tool", "*")
    text_of(await door.ask(CHAT, chat("main"), key=key))
    for name in (UNKNOWN, "qwen3:30b", "ollama/qwen3:30b"):
        refused = await door.ask(CHAT, chat(name), key=key)
        assert refused.status_code == 403, refused.text
        assert "it may for every alias" in refused.json()["error"]["message"]
    assert await count(door, "groq", "requests") == 0


@pytest.mark.parametrize(
    ("names", "name", "status"),
    [
        (("groq/*",), "groq/openai/gpt-oss-20b", 200),
        (("groq/*",), "openai/gpt-oss-20b", 200),
        (("groq/openai/gpt-oss-20b",), "openai/gpt-oss-20b", 200),
        (("openai/gpt-oss-20b",), "openai/gpt-oss-20b", 200),
        (("groq/openai/gpt-oss-120b",), "openai/gpt-oss-20b", 403),
        (("ollama/*", "main"), "openai/gpt-oss-20b", 403),
        (("groq/*",), "groq-fast", 403),
        (("groq/*",), "nonesuch", 404),
    ],
)
async def test_a_key_names_the_models_or_their_provider(
    door: Open, names: tuple[str, ...], name: str, status: int
) -> None:
    answer = await door.ask(CHAT, chat(name), key=await door.new_key("tool", *names))
    assert answer.status_code == status, answer.text


async def test_what_stands_for_many_is_listed_as_no_model(door: Open) -> None:
    key = await door.new_key("tool", "main", "groq/*", UNKNOWN)
    headers = {"authorization": f"Bearer {key}"}
    answer = await door.http.get(f"{door.url}/v1/models", headers=headers)
    assert [each["id"] for each in answer.json()["data"]] == ["main", UNKNOWN]


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/api/chat"])
async def test_a_budget_asks_no_model_whose_price_nobody_knows(door: Open, path: str) -> None:
    key = await door.new_key("tool", *EVERYTHING, budget=BUDGET)
    body = chat(UNKNOWN, max_tokens=9, stream=False)
    refused = await door.ask(path, body, key=key)
    assert refused.status_code == 403, refused.text
    assert is_error(path, refused.json())
    assert f"nobody here knows what {UNKNOWN} costs" in refused.text
    assert await count(door, "groq", "requests") == 0
    for name in ("groq-fast", "openai/gpt-oss-20b", "ollama/llama3.1:8b"):  # priced, or free
        assert (await door.ask(path, body | {"model": name}, key=key)).status_code == 200


async def test_a_price_that_the_probe_found_is_known_and_counts(door: Open) -> None:
    for name in ("fast", "groq-fast"):
        alias(door, name, GROQ)  # the table has no price any more
    key = await door.new_key("tool", *EVERYTHING, budget=BUDGET)
    assert (await door.ask(CHAT, chat("openai/gpt-oss-20b"), key=key)).status_code == 403
    found = health("groq", usd="1000000")
    await probed(door, replace(found, checked_at=found.checked_at.replace(year=2020)))
    assert (await Healths(door.database).read())[0].price_in_usd == Decimal(1_000_000)
    text_of(await door.ask(CHAT, chat("openai/gpt-oss-20b"), key=key))
    assert (await door.calls())[-1]["price_usd"] > 1
    assert (await door.ask(CHAT, chat("openai/gpt-oss-20b"), key=key)).status_code == 429


async def test_ollamas_clients_add_latest_to_an_alias(door: Open) -> None:
    key = await door.new_key("tool", "main")
    for path, body in (
        ("/api/chat", chat("main:latest", stream=False)),
        ("/api/generate", {"model": "main:latest", "prompt": "ping", "stream": False}),
        ("/api/show", {"model": "main:latest"}),
    ):
        answer = await door.ask(path, body, key=key)
        assert answer.status_code == 200, answer.text
    assert {call["alias"] for call in await door.calls()} == {"main"}
    assert (await door.ask("/api/chat", chat("mian:latest"))).status_code == 404
