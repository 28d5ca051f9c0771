"""What a client is told: why, and what a person can do about it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lib.domain.llm.circuit import FAILURES
from lib.domain.llm.keys import budget_from
from lib.store.llm.keys import Keys
from tests.gateway.llm.asking import GROQ, OLLAMA, alias, chat, provider
from tests.gateway.llm.open_house import Open, is_error
from tests.store.making import run_sql

CHAT = "/v1/chat/completions"
NONE = {"provider": "ollama", "model": "nonesuch:1b"}


async def told(door: Open, status: int, *, key: str | None = None, model: str = "main") -> str:
    answer = await door.ask(CHAT, chat(model), key=key)
    assert answer.status_code == status, answer.text
    assert is_error(CHAT, answer.json())
    return str(answer.json()["error"]["message"])


async def test_a_revoked_key_is_told_so_and_its_beginning_is_not(door: Open) -> None:
    key = await door.new_key("tool")
    await Keys(door.database).revoke("tool")
    await door.house.keyring.read()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert (await told(door, 401, key=key)).startswith(f"this key was revoked on {today}")
    for other in (key[:-1], key[:12], "potok-other"):
        assert "is not known" in await told(door, 401, key=other)


@pytest.mark.parametrize("has_successor", [False, True])
async def test_an_expired_key_is_told_so(door: Open, has_successor: bool) -> None:
    key = await door.new_key("tool", expires_at=datetime.now(UTC) + timedelta(hours=1))
    await run_sql(door.database, "update llm_keys set expires_at = '2026-11-02 09:30+00'")
    if has_successor:
        await door.new_key("tool")
    await door.house.keyring.read()
    assert "this key expired on 2026-11-02 09:30 UTC" in await told(door, 401, key=key)


async def test_a_budget_that_is_used_up_says_what_to_do(door: Open) -> None:
    alias(door, "solo", GROQ | {"price": {"input": 10_000, "output": 10_000}})
    key = await door.new_key("tool", budget=budget_from("0.001usd/day"))
    await door.ask(CHAT, chat("solo"), key=key)
    words = await told(door, 429, key=key, model="solo")
    assert "wait, or ask for a key with more" in words
    assert "`potok llm key create --budget …`" in words


async def test_an_open_circuit_is_told_with_its_end(door: Open) -> None:
    provider(door, "ollama", tries=1, timeouts={"connect": 1, "first_token": 1, "total": 0.1})
    alias(door, "solo", OLLAMA)
    await door.fail("ollama", "hang")
    answers = await asyncio.gather(*(door.ask(CHAT, chat("solo")) for _ in range(FAILURES + 2)))
    words = [each.json()["error"]["message"] for each in answers if each.status_code == 503]
    assert len(words) == 2
    for each in words:
        assert "its circuit is open until " in each


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        ("grok", "set it by a block `potok model provider` named grok"),
        ("groq", "set it by GROQ_API_KEY in .env, then `potok init`, or by a block"),
    ],
)
async def test_a_key_that_nobody_configured_is_named_as_a_setting(
    door: Open, credential: str, words: str
) -> None:
    door.house.router.credential = {}.get
    provider(door, "groq", credential=credential)
    alias(door, "solo", GROQ)
    said = await told(door, 502, model="solo")
    assert f"there is no key for `credential: {credential}`: {words}" in said


async def test_an_alias_without_a_model_is_no_fault_of_the_client(door: Open) -> None:
    alias(door, "solo", NONE)
    said = await told(door, 502, model="solo")
    assert "ollama/nonesuch:1b: 404: model 'nonesuch:1b' not found" in said
    await told(door, 400, model="ollama/other:1b")  # the client named it himself
    outcomes = [(call["outcome"], call["status"]) for call in await door.calls()]
    assert outcomes == [("failed", 502), ("refused", 400)]


async def test_a_name_of_no_table_is_recorded_as_such(door: Open) -> None:
    await told(door, 404, model="mian")
    [call] = await door.calls()
    assert (call["alias"], call["outcome"], call["reason"]) == ("mian", "refused", "unknown name")
