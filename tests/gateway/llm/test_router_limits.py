"""What a key may do: its models, budget and rate over every door, and what is remembered of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lib.domain.llm.keys import budget_from
from lib.store.llm.keys import Keys, NewKey
from tests.gateway.llm.asking import GROQ, alias, chat, count, streaming, text_of
from tests.gateway.llm.open_house import PROVIDER_KEY, Open, opened, until

CHAT = "/v1/chat/completions"
SECRET = "совершенно-секретно"


@pytest.fixture
async def other(door: Open, tmp_path: Path) -> AsyncIterator[Open]:
    """A second door over the same database, as another process has it."""
    home = tmp_path / "other"
    home.mkdir()
    await Keys(door.database).revoke("tests")
    async with opened(door.database.dsn, home) as found:
        await door.house.keyring.read()
        door.key = found.key
        yield found


async def test_a_budget_that_is_used_up_says_until_when(door: Open) -> None:
    alias(door, "solo", GROQ | {"price": {"input": 10_000, "output": 10_000}})
    for period, last_s in (("day", 86_400), ("month", 31 * 86_400)):
        key = await door.new_key(period, budget=budget_from(f"0.001usd/{period}"))
        assert (await door.ask(CHAT, chat("solo"), key=key)).status_code == 200
        over = await door.ask(CHAT, chat("solo"), key=key)
        assert over.status_code == 429
        assert "the budget of 0.001 USD is used up until 2" in over.json()["error"]["message"]
        assert 0 < int(over.headers["retry-after"]) <= last_s
    calls = await door.calls()
    assert [call["outcome"] for call in calls] == ["ok", "refused", "ok", "refused"]
    assert float(calls[0]["price_usd"]) > 0.001


async def test_a_budget_for_ever_is_asked_for_anew(door: Open) -> None:
    alias(door, "solo", GROQ | {"price": {"input": 10_000, "output": 10_000}})
    key = await door.new_key("ever", budget=budget_from("0.001usd"))
    await door.ask(CHAT, chat("solo"), key=key)
    over = await door.ask("/v1/messages", chat("solo", max_tokens=9), key=key)
    assert over.status_code == 429
    assert over.json()["error"]["type"] == "rate_limit_error"
    assert "ask for a new one" in over.json()["error"]["message"]


async def test_a_budget_holds_over_two_doors(door: Open, other: Open) -> None:
    alias(door, "solo", GROQ | {"price": {"input": 10_000, "output": 10_000}})
    alias(other, "solo", GROQ)
    key = await door.new_key("tool", budget=budget_from("0.001usd/day"))
    await other.house.keyring.read()
    assert (await door.ask(CHAT, chat("solo"), key=key)).status_code == 200
    await door.house.meter.write()
    await other.house.keyring.read()
    assert (await other.ask(CHAT, chat("solo"), key=key)).status_code == 429
    assert await count(other, "groq", "requests") == 0


async def test_money_counts_before_it_is_written_and_once_after(door: Open) -> None:
    alias(door, "solo", GROQ | {"price": {"input": 0, "output": 1_000_000}})
    key = await door.new_key("tool", budget=budget_from("1000usd"))
    await door.ask(CHAT, chat("solo"), key=key)
    keyring = door.house.keyring
    found = await keyring.find(key)
    assert keyring._unwritten[found.id] > 0
    spent = keyring._unwritten[found.id]
    await door.house.meter.write()
    assert keyring._unwritten[found.id] == 0
    assert (await keyring.find(key)).spent_usd == spent
    await keyring.read()
    assert (await keyring.find(key)).spent_usd == spent


async def test_a_rate_holds_over_two_doors(door: Open, other: Open) -> None:
    for each in (door, other):
        alias(each, "solo", GROQ)
    key = await door.new_key("tool", rpm=6)
    await other.house.keyring.read()
    answers = await asyncio.gather(
        *((door, other)[n % 2].ask(CHAT, chat("solo"), key=key) for n in range(9))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 6 + [429] * 3
    over = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(over.headers["retry-after"]) <= 10
    assert "more than 6 calls a minute" in over.json()["error"]["message"]


async def test_a_revoked_key_opens_nothing(door: Open) -> None:
    key = await door.new_key("tool")
    assert (await door.ask(CHAT, chat("main"), key=key)).status_code == 200
    await Keys(door.database).revoke("tool")
    await door.house.keyring.read()
    refused = await door.ask(CHAT, chat("main"), key=key)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"


async def test_a_key_that_was_just_made_opens_at_once(door: Open) -> None:
    await door.house.keyring.read()
    key = await Keys(door.database).create(_new("fresh"))

    async def is_let_in() -> bool:
        return (await door.ask(CHAT, chat("main"), key=key)).status_code == 200

    await until(is_let_in, 3.0)


@pytest.mark.parametrize("said", ["Basic x", "Bearer potok-nobody", "Bearer тест", "тест", ""])
async def test_nobody_else_is_let_in(door: Open, said: str) -> None:
    header = {b"authorization": said.encode()}
    answer = await door.http.post(door.url + CHAT, json=chat("main"), headers=header)
    assert answer.status_code == 401
    assert await door.calls() == []


async def test_a_key_asks_for_its_models_alone(door: Open) -> None:
    key = await door.new_key("tool", "main", "openrouter/any/model")
    assert (await door.ask(CHAT, chat("main"), key=key)).status_code == 200
    refused = await door.ask(CHAT, chat("code"), key=key)
    assert refused.status_code == 403
    assert "it may for main, openrouter/any/model" in refused.json()["error"]["message"]
    listed = await door.http.get(
        f"{door.url}/v1/models", headers={"authorization": f"Bearer {key}"}
    )
    assert [each["id"] for each in listed.json()["data"]] == ["main", "openrouter/any/model"]


async def test_the_table_says_more_of_a_key(door: Open) -> None:
    key = await door.new_key("tool", "main")
    door.write({"permissions": {"tool": ["code"]}})
    assert (await door.ask(CHAT, chat("main"), key=key)).status_code == 403
    assert (await door.ask(CHAT, chat("code"), key=key)).status_code == 200


async def test_a_new_table_holds_without_a_restart_and_a_wrong_one_does_not(
    door: Open, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await door.ask(CHAT, chat("fresh"))).status_code == 404
    alias(door, "fresh", GROQ)
    assert (await door.ask(CHAT, chat("fresh"))).status_code == 200
    shelf, good = door.house.router.shelf, door.table.read_text()
    for wrong in ("providers: [", "aliases: {}", good.replace("groq", "nobody", 1), "\x00", ""):
        door.table.write_text(wrong)
        assert not shelf.look()
        assert (await door.ask(CHAT, chat("fresh"))).status_code == 200
    door.table.unlink()
    assert not shelf.look()
    assert caplog.text.count("table.refused reason=llm.yaml") == 6
    door.table.write_text(good.replace("fresh", "fresher"))
    assert shelf.look()
    assert (await door.ask(CHAT, chat("fresh"))).status_code == 404
    assert (await door.ask(CHAT, chat("fresher"))).status_code == 200


async def test_a_stream_goes_on_while_the_table_changes(door: Open) -> None:
    alias(door, "solo", GROQ)
    await door.fail("groq", "slow_first_token", delay_s=0.2)
    async with streaming(door, chat("solo", "repeat 30", stream=True)) as answer:
        door.write({"aliases": {"solo": {"candidates": [GROQ | {"model": "other"}]}}})
        assert "слово-30" in (await answer.aread()).decode()


async def test_texts_are_kept_only_for_a_key_that_keeps_them(door: Open) -> None:
    keeps = await door.new_key("keeps", keeps_texts=True)
    for key in (keeps, door.key):
        text_of(await door.ask(CHAT, chat("main", SECRET), key=key))
    first, second = await door.calls()
    assert SECRET in str(first["texts"])
    assert second["texts"] is None
    assert SECRET not in str(second)


async def test_a_model_with_a_nul_in_its_name_stops_no_record(door: Open) -> None:
    keeps = await door.new_key("keeps", keeps_texts=True)
    assert (await door.ask(CHAT, chat("a\x00b"))).status_code == 404
    text_of(await door.ask(CHAT, chat("main", "a\x00b"), key=keeps))
    assert [call["alias"] for call in await door.calls()] == ["a\ufffdb", "main"]


async def test_no_log_has_a_key_or_a_text(door: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    alias(door, "solo", GROQ)
    for kind in ("status", "error_midstream", "html", "blocked"):
        await door.fail("groq", kind, times=1)
        await door.ask(CHAT, chat("solo", SECRET, stream=True))
    await door.ask(CHAT, chat("solo", SECRET), key="potok-wrong-" + "x" * 30)
    await door.ask(CHAT, chat(SECRET, SECRET))
    await door.ask(CHAT, b'{"model": "' + SECRET.encode())
    await door.calls()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("lib.")]
    assert any("llm.failed model=groq" in line for line in ours)
    assert any("llm.refused door=" in line for line in ours)
    for words in (SECRET, door.key, "potok-wrong-", PROVIDER_KEY):
        assert not [line for line in ours if words in line]


def _new(name: str) -> NewKey:
    return NewKey(name, ("*",))
