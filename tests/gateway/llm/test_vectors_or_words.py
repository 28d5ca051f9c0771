"""Vectors asked of a model of words, and the other way round: refused, and nobody suffers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.llm.asking import chat, count, text_of
from tests.gateway.llm.open_house import Open, is_error

CHAT = "/v1/chat/completions"
WORDS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, chat("embed")),
    ("/v1/completions", {"model": "embed", "prompt": "ping"}),
    ("/v1/responses", {"model": "embed", "input": "ping"}),
    ("/v1/messages", chat("embed", max_tokens=9)),
    ("/api/chat", chat("embed")),
    ("/api/generate", {"model": "embed", "prompt": "ping"}),
]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/api/embed"])
async def test_vectors_of_a_chat_alias_name_the_alias_that_makes_them(
    door: Open, path: str
) -> None:
    for _ in range(3):
        answer = await door.ask(path, {"model": "main", "input": "ping"})
        assert answer.status_code == 400, answer.text
        assert is_error(path, answer.json())
        assert "`main` makes no vectors: ask `embed`" in answer.text
    assert await count(door, "ollama", "requests") == 0
    text_of(await door.ask(CHAT, chat("main")))
    assert [call["outcome"] for call in await door.calls()] == ["refused"] * 3 + ["ok"]


@pytest.mark.parametrize(("path", "body"), WORDS)
async def test_words_of_an_alias_for_vectors_name_others(
    door: Open, path: str, body: dict[str, Any]
) -> None:
    answer = await door.ask(path, body)
    assert answer.status_code == 400, answer.text
    assert is_error(path, answer.json())
    assert "`embed` makes vectors only: ask `" in answer.text
    assert await count(door, "ollama", "requests") == 0


async def test_a_real_model_without_vectors_is_asked_once_and_keeps_its_circuit(
    door: Open,
) -> None:
    for number in range(1, 5):
        answer = await door.ask("/v1/embeddings", {"model": "qwen3:30b", "input": "ping"})
        assert answer.status_code == 400, answer.text
        assert "does not support embeddings" in answer.text
        assert await count(door, "ollama", "requests") == number
    assert door.house.router.board.wait_s("ollama/qwen3:30b") == 0
    text_of(await door.ask(CHAT, chat("main")))
