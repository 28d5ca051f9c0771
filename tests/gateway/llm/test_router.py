"""The router: another candidate before the first token, none after it, and circuits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lib.domain.llm.circuit import FAILURES, PAUSE_S
from tests.gateway.llm.asking import (
    CLAUDE,
    GROQ,
    OLLAMA,
    OPENROUTER,
    alias,
    chat,
    count,
    pair,
    provider,
    text_of,
)
from tests.gateway.llm.open_house import Open

CHAT = "/v1/chat/completions"
SHORT = {"connect": 1, "first_token": 0.3, "total": 0.6}
BEFORE: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"status": 500}, "unavailable"),
    ("status", {"status": 503}, "unavailable"),
    ("status", {"status": 429, "retry_after_s": 7}, "rate limited"),
    ("status", {"status": 401}, "denied"),
    ("empty", {}, "unavailable"),
    ("html", {}, "unavailable"),
    ("cut", {"after_chunks": 0}, "unavailable"),
    ("not_found", {}, "no model"),
    ("blocked", {}, "denied"),
    ("hang", {}, "unavailable"),
]
MIDSTREAM = ["error_midstream", "garbage_midstream", "cut", "hang_midstream"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("kind", "fields", "reason"), BEFORE)
async def test_a_failure_before_the_first_token_goes_to_the_next(
    door: Open, kind: str, fields: dict[str, Any], reason: str, stream: bool
) -> None:
    pair(door)
    provider(door, "groq", timeouts=SHORT)
    await door.fail("groq", kind, **fields)
    answer = await door.ask(CHAT, chat(stream=stream))
    assert answer.status_code == 200
    if not stream:
        assert "ping" in text_of(answer)
    [call] = await door.calls()
    assert (call["outcome"], call["provider"]) == ("ok", "openrouter")
    assert [(each["provider"], each["reason"]) for each in call["tries"]] == [("groq", reason)]
    assert await count(door, "groq", "requests") == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_inside_a_200_goes_to_the_next(door: Open, stream: bool) -> None:
    provider(door, "openrouter", tries=1)
    alias(door, "pair", OPENROUTER, GROQ)
    await door.fail("openrouter", "error_in_200")
    answer = await door.ask(CHAT, chat(stream=stream))
    assert answer.status_code == 200
    [call] = await door.calls()
    assert (call["provider"], len(call["tries"])) == ("groq", 1)


async def test_a_slow_first_token_goes_to_the_next_and_headers_do_not_count(door: Open) -> None:
    pair(door)
    provider(door, "groq", timeouts={"connect": 1, "first_token": 0.2, "total": 30})
    for kind in ("slow_first_token", "slow"):
        await door.fail("groq", kind, delay_s=20, times=1)
        assert (await door.ask(CHAT, chat(stream=True))).status_code == 200
    calls = await door.calls()
    assert [call["provider"] for call in calls] == ["openrouter", "openrouter"]
    assert all(call["tries"][0]["ms"] < 10_000 for call in calls)


async def test_a_provider_is_tried_again_before_another(door: Open) -> None:
    alias(door, "pair", GROQ, OPENROUTER)
    await door.fail("groq", "status", status=500, times=1)
    text_of(await door.ask(CHAT, chat()))
    [call] = await door.calls()
    assert (call["provider"], len(call["tries"])) == ("groq", 1)
    assert await count(door, "openrouter", "requests") == 0


async def test_a_wrong_question_goes_to_nobody_else(door: Open) -> None:
    pair(door)
    await door.fail("groq", "status", status=400)
    answer = await door.ask(CHAT, chat())
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert await count(door, "openrouter", "requests") == 0


async def test_when_nobody_answers_all_are_told(door: Open) -> None:
    pair(door)
    for vendor in ("groq", "openrouter"):
        await door.fail(vendor, "status", status=503)
    answer = await door.ask(CHAT, chat(stream=True))
    assert answer.status_code == 502
    words = answer.json()["error"]["message"]
    assert "groq/openai/gpt-oss-20b" in words
    assert "openrouter/deepseek" in words
    [call] = await door.calls()
    assert (call["outcome"], call["status"], len(call["tries"])) == ("failed", 502, 3)


async def test_when_all_are_busy_the_client_is_told_when_to_come(door: Open) -> None:
    pair(door)
    for vendor, after_s in (("groq", 9), ("openrouter", 5)):
        await door.fail(vendor, "status", status=429, retry_after_s=after_s)
    answer = await door.ask(CHAT, chat())
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("kind", MIDSTREAM)
@pytest.mark.parametrize(
    ("path", "ends"),
    [
        (CHAT, lambda text: "error" in json.loads(text.split("data: ")[-1])),
        ("/v1/messages", lambda text: text.split("event: ")[-1].startswith("error\n")),
        ("/api/chat", lambda text: "error" in json.loads(text.splitlines()[-1])),
        ("/v1/responses", lambda text: '"type":"error"' in text or "response.failed" in text),
    ],
)
@pytest.mark.parametrize("candidate", [GROQ, CLAUDE, OLLAMA], ids=lambda each: each["provider"])
async def test_after_the_first_token_a_failure_ends_the_stream(
    door: Open, kind: str, path: str, ends: Any, candidate: dict[str, Any]
) -> None:
    vendor = candidate["provider"]
    provider(door, vendor, timeouts={"connect": 1, "first_token": 0.5, "total": 0.5})
    alias(door, "pair", candidate, OPENROUTER)
    await door.fail(vendor, kind, after_chunks=30)
    body = chat(text="repeat 60", stream=True, max_tokens=1000)
    if path == "/v1/responses":
        body = {"model": "pair", "input": "repeat 60", "stream": True}
    answer = await door.ask(path, body)
    assert answer.status_code == 200
    assert "слово-1 " in answer.text
    assert "слово-60" not in answer.text
    assert ends(answer.text.strip().removesuffix("data: [DONE]").strip()), answer.text[-300:]
    [call] = await door.calls()
    assert (call["outcome"], call["provider"], call["status"]) == ("failed", vendor, 502)
    assert call["completion_tokens"] > 0
    assert await count(door, "openrouter", "requests") == 0


async def test_a_circuit_opens_and_half_opens(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    board = door.house.router.board
    monkeypatch.setattr(board, "_clock", lambda: now)
    provider(door, "groq", tries=1)
    alias(door, "solo", GROQ)
    await door.fail("groq", "status", status=500)
    for _ in range(FAILURES):
        assert (await door.ask(CHAT, chat("solo"))).status_code == 502
    answer = await door.ask(CHAT, chat("solo"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == f"{PAUSE_S:.0f}"
    assert await count(door, "groq", "requests") == FAILURES
    now += PAUSE_S
    assert (await door.ask(CHAT, chat("solo"))).status_code == 502  # half-open: one try
    now += PAUSE_S
    answer = await door.ask(CHAT, chat("solo"))
    assert answer.headers["retry-after"] == f"{PAUSE_S:.0f}"  # twice as long
    now += PAUSE_S
    await door.http.delete(f"{door.sandbox}/control/groq/failures")
    assert (await door.ask(CHAT, chat("solo"))).status_code == 200
    assert board.wait_s("groq/openai/gpt-oss-20b") == 0
    assert await count(door, "groq", "requests") == FAILURES + 2


async def test_an_open_circuit_is_passed_by(door: Open) -> None:
    pair(door)
    await door.fail("groq", "status", status=429, retry_after_s=60)
    for _ in range(3):
        text_of(await door.ask(CHAT, chat()))
    assert await count(door, "groq", "requests") == 1
    assert [len(call["tries"] or ()) for call in await door.calls()] == [1, 0, 0]


async def test_who_waited_for_a_place_asks_no_model_that_failed_meanwhile(door: Open) -> None:
    provider(door, "ollama", tries=1, timeouts={"connect": 1, "first_token": 1, "total": 0.1})
    alias(door, "solo", OLLAMA)
    await door.fail("ollama", "hang")
    answers = await asyncio.gather(*(door.ask(CHAT, chat("solo")) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [502] * 3 + [503] * 5
    assert await count(door, "ollama", "requests") == FAILURES
