"""Paths: those of Ollama's clients, and what is told where there is none."""

from __future__ import annotations

import ollama
import pytest

from tests.gateway.llm.asking import chat, text_of
from tests.gateway.llm.open_house import Open, is_error
from tests.support import free_port


@pytest.mark.parametrize(
    "path", ["/v1/chats", "/v1/messages/batches", "/api/pull", "/v1/images/generations", "/api/"]
)
async def test_an_unknown_path_is_told_in_the_dialect_of_its_prefix(door: Open, path: str) -> None:
    answer = await door.ask(path, chat("main"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert is_error(path, answer.json())
    assert f"there is no POST {path} here" in answer.text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
async def test_a_wrong_method_is_told_with_the_right_one(door: Open, path: str) -> None:
    answer = await door.http.get(door.url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert is_error(path, answer.json())
    assert "ask by POST" in answer.text


async def test_anthropics_client_at_any_path_gets_its_own_error(door: Open) -> None:
    answer = await door.ask("/v1/files", {}, anthropic_version="2023-06-01")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


async def test_the_older_door_of_embeddings(door: Open) -> None:
    headers = {"Authorization": f"Bearer {door.key}"}
    async with ollama.AsyncClient(door.url, headers=headers, trust_env=False) as client:
        old = await client.embeddings("embed", "лид")
        new = await client.embed("embed", "лид")
        assert [old.embedding] == list(new.embeddings)
        packed = await client.embeddings("openrouter/qwen/qwen3-embedding-8b", "лид")
        assert len(packed.embedding) > 1
        with pytest.raises(ollama.ResponseError, match="`main` makes no vectors"):
            await client.embeddings("main", "лид")
    calls = await door.calls()
    assert [call["door"] for call in calls] == ["api/embeddings", "api/embed"] + [
        "api/embeddings"
    ] * 2
    assert all(call["prompt_tokens"] > 0 for call in calls[:3])


async def test_what_is_loaded_is_told_by_alias(door: Open) -> None:
    headers = {"Authorization": f"Bearer {await door.new_key('tool', 'main', 'embed', 'code')}"}
    async with ollama.AsyncClient(door.url, headers=headers, trust_env=False) as client:
        assert (await client.ps()).models == []
        text_of(await door.ask("/v1/chat/completions", chat("main")))
        text_of(await door.ask("/v1/chat/completions", chat("fast")))
        await client.embed("embed", "лид")
        running = (await client.ps()).models
        assert sorted(str(model.model) for model in running) == ["embed", "main"]
        assert all(model.size for model in running)
        door.house.router.shelf._addresses["ollama"] = f"http://127.0.0.1:{free_port()}"
        door.write({"cache_s": 1})
        assert (await client.ps()).models == []
