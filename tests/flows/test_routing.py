"""The probe of the models on the whole stack: what is written, shown and told."""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from typing import Any
from uuid import UUID

from tests.stack_fixture import LiveStack, eventually

PING = {"messages": [{"role": "user", "content": "ping"}]}


async def probed(stack: LiveStack) -> UUID:
    """One run of the probe, ended well."""
    deployment = await stack.prefect("/deployments/name/routing/main")
    run = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", {})
    ended = await stack.run_ended(UUID(run["id"]))
    assert ended["state_type"] == "COMPLETED", ended["state_name"]
    return UUID(run["id"])


async def health(stack: LiveStack) -> dict[str, dict[str, Any]]:
    rows = await stack.rows("select * from llm_health")
    return {f"{row['provider']}/{row['model']}": row for row in rows}


async def key(stack: LiveStack) -> str:
    """A key of the door, made as a person makes it."""
    said = await stack.potok("llm", "key", "create", "--tool", "flows-test")
    [secret, *_] = re.findall(r"potok-[\w-]{40,}", said)
    return str(secret)


async def test_a_probe_writes_what_the_doors_choose_by(stack: LiveStack) -> None:
    run = await probed(stack)
    found = await health(stack)
    assert found["groq/openai/gpt-oss-20b"]["state"] == "ok"
    assert found["groq/openai/gpt-oss-20b"]["first_token_ms"] > 0
    assert found["openrouter/tngtech/deepseek-r1t2-chimera"]["state"] == "no model"
    priced = found["openrouter/deepseek/deepseek-r1-0528"]
    assert priced["price_in_usd"] > 0
    assert priced["price_out_usd"] > priced["price_in_usd"]
    assert found["ollama/qwen3:30b"]["ok"]
    assert found["groq/whisper-large-v3-turbo"]["state"] == "not tried"
    [table] = await stack.artifacts(run)
    assert {row["model"] for row in table} == set(found)
    shown = {"flow_run_id": {"any_": [str(run)]}, "type": {"any_": ["markdown"]}}
    [plot] = await stack.prefect("/artifacts/filter", {"artifacts": shown})
    assert plot["data"].startswith("![First token")
    image = b64decode(plot["data"].partition("base64,")[2][:-1])
    assert b"groq/openai/gpt-oss-20b" in image


async def test_a_person_is_told_once_when_nobody_answers_and_once_when_somebody_does(
    stack: LiveStack,
) -> None:
    await probed(stack)
    before = len(await stack.sent())
    await stack.control("groq/failures", {"kind": "status", "status": 503, "method": "models"})
    try:
        await probed(stack)
        assert not (await health(stack))["groq/openai/gpt-oss-20b"]["ok"]
        await probed(stack)
    finally:
        await stack.control("groq/failures", method="DELETE")
    await probed(stack)
    told = (await stack.sent())[before:]
    assert sum("некому отвечать" in text and "groq-fast" in text for text in told) == 1
    assert sum("снова отвечают" in text and "groq-fast" in text for text in told) == 1


async def test_the_door_of_the_stack_answers_with_a_key_of_the_command_line(
    stack: LiveStack,
) -> None:
    secret = await key(stack)

    async def answered() -> dict[str, Any] | None:
        answer = await stack.http.post(
            f"{stack.settings.llm_url}/v1/chat/completions",
            json={"model": "groq-fast", **PING},
            headers={"authorization": f"Bearer {secret}"},
        )
        return answer.json() if answer.status_code == 200 else None

    assert (await eventually(answered))["choices"]
    row = "select * from llm_calls where caller = 'flows-test' and outcome = 'ok'"
    [call, *_] = await eventually(lambda: stack.rows(row))
    assert call["price_usd"] > 0
    await stack.potok("llm", "key", "revoke", "flows-test")

    async def refused() -> bool:
        return await answered() is None

    async with asyncio.timeout(10):
        await eventually(refused)
