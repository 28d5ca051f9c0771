"""A PostgreSQL that is frozen: keys that are known go on, the others are told in time."""

from __future__ import annotations

import asyncio

import pytest

from deployments.stack.postgres import EmbeddedPostgres
from lib.gateway.llm import usage_page
from lib.router import keyring as keyring_module
from lib.store.llm import rates as rates_module
from tests.gateway.llm.asking import chat, text_of
from tests.gateway.llm.open_house import Open, until
from tests.gateway.test_stuck_database import frozen

CHAT = "/v1/chat/completions"
GENEROUS_S = 15.0  # before, the answer came when the database was well again


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (keyring_module, rates_module):
        monkeypatch.setattr(module, "ANSWERS_WITHIN_S", 0.5)
    monkeypatch.setattr(usage_page, "READ_WITHIN_S", 0.5)


async def test_known_keys_go_on_and_all_recover(door: Open, postgres: EmbeddedPostgres) -> None:
    limited = await door.new_key("limited", rpm=60)
    boss = await door.new_key("boss", sees_usage=True)
    text_of(await door.ask(CHAT, chat("main")))
    with frozen(postgres.serving()):
        async with asyncio.timeout(GENEROUS_S):
            asked = (door.ask(CHAT, chat("main", f"ping {n}")) for n in range(6))
            for answer in await asyncio.gather(*asked):
                text_of(answer)
            certain = await door.ask(CHAT, chat("main", temperature=0))
            vectors = await door.ask("/v1/embeddings", {"model": "embed", "input": "ping"})
            assert (certain.status_code, vectors.status_code) == (200, 200)
            for key in (limited, "potok-nobody-knows"):
                refused = await door.ask(CHAT, chat("main"), key=key)
                assert refused.status_code == 503, refused.text
                assert int(refused.headers["retry-after"]) >= 1
            assert (await door.http.get(f"{door.url}/usage", auth=("", boss))).status_code == 503
        assert (await door.state("ollama"))["max_at_once"] == 1

    async def is_well() -> bool:
        return (await door.ask(CHAT, chat("main"), key=limited)).status_code == 200

    await until(is_well)
    assert len(await door.calls()) >= 9


async def test_a_client_who_leaves_meanwhile_keeps_no_place(
    door: Open, postgres: EmbeddedPostgres
) -> None:
    text_of(await door.ask(CHAT, chat("main")))
    with frozen(postgres.serving()):
        asking = asyncio.create_task(door.ask(CHAT, chat("main")))
        slots = door.house.router.slots

        async def is_looking() -> bool:
            return slots._talking.locked()

        await until(is_looking)
        asking.cancel()
        async with asyncio.timeout(GENEROUS_S):
            text_of(await door.ask(CHAT, chat("main")))
    text_of(await door.ask(CHAT, chat("main")))
    assert not slots._providers["ollama"].taken
