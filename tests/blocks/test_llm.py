"""The tasks that ask a model: the door's own router, in the flow's process."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any

from deployments.settings import ROOT
from tests.stack_fixture import LiveStack, eventually


async def asked(stack: LiveStack, alias: str) -> Any:
    """What a flow gets that asks for an alias, in a process of its own."""
    command = (sys.executable, "-m", "tests.blocks.asking_flow", alias)
    env = stack.settings.child_env() | {"PYTHONPATH": str(ROOT)}
    ran = await asyncio.create_subprocess_exec(
        *command, env=env, cwd=ROOT, stdout=PIPE, stderr=DEVNULL
    )
    said, _ = await ran.communicate()
    assert ran.returncode == 0, said.decode()
    return json.loads(said.splitlines()[-1])


async def test_a_flow_asks_as_the_door_does(stack: LiveStack) -> None:
    found = await asked(stack, "groq-fast")
    assert "ping" in found["answer"]["choices"][0]["message"]["content"]
    assert [len(vector) for vector in found["vectors"]] == [768, 768]
    assert found["vectors"][0] != found["vectors"][1]
    sql = "select * from llm_calls where caller = 'flow asks' and alias = 'groq-fast'"
    [call] = await eventually(lambda: stack.rows(sql))
    assert (call["key_id"], call["outcome"]) == (None, "ok")
    assert call["price_usd"] > 0


async def test_a_flow_is_told_when_nobody_answers(stack: LiveStack) -> None:
    assert (await asked(stack, "nobody"))["error"] == "UnknownModel"
    sql = "select outcome, status from llm_calls where caller = 'flow asks' and alias = 'nobody'"
    [call] = await eventually(lambda: stack.rows(sql))
    assert (call["outcome"], call["status"]) == ("refused", 404)
    await stack.control("groq/failures", {"kind": "status", "status": 503})
    try:
        found = await asked(stack, "groq-fast")
    finally:
        await stack.control("groq/failures", method="DELETE")
    assert found["error"] == "NobodyAnswered"
    assert "groq/openai/gpt-oss-20b" in found["words"]
