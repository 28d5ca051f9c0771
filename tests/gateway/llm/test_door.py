"""The door: who is let in, who answers, and what is told when nobody does."""

from __future__ import annotations

import openai
import pytest

from tests.gateway.llm.open_house import Open

PING = [{"role": "user", "content": "ping"}]


async def test_a_chat_is_answered_by_the_first_candidate(door: Open) -> None:
    async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key=door.key) as client:
        answer = await client.chat.completions.create(model="main", messages=PING)
    assert "ping" in (answer.choices[0].message.content or "")
    [call] = await door.calls()
    assert (call["provider"], call["outcome"], call["caller"]) == ("ollama", "ok", "tests")
    assert call["prompt_tokens"] > 0
    assert call["completion_tokens"] > 0


@pytest.mark.parametrize("model", ["main", "groq-fast", "chimera", "claude-opus"])
async def test_a_stream_comes_whole(door: Open, model: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key=door.key) as client:
        stream = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "repeat 50"}], stream=True
        )
        words = "".join(
            [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        )
    assert len(words.split()) >= 50
    [call] = await door.calls()
    assert call["outcome"] == "ok"
    assert call["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_who_answered_is_told(door: Open, stream: bool) -> None:
    body = {"model": "groq-fast", "messages": PING, "temperature": 0, "stream": stream}
    first = await door.ask("/v1/chat/completions", body)
    assert first.headers["x-potok-model"] == "groq/openai/gpt-oss-20b"
    assert '"model":"openai/gpt-oss-20b"' in first.text
    if not stream:
        assert "x-potok-model" not in (await door.ask("/v1/chat/completions", body)).headers
