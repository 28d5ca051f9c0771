"""The tasks that ask a model: the door's own router, in the flow's process."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

from deployments.sandbox.groq_speech import SENTENCE
from deployments.settings import ROOT
from tests.sandbox.sounds import CLIP, large
from tests.stack_fixture import LiveStack, eventually


async def asked(stack: LiveStack, alias: str, *sounds: Path) -> Any:
    """What a flow gets that asks for an alias, or has a recording heard, in its own process."""
    command = (sys.executable, "-m", "tests.blocks.asking_flow", alias, *map(str, sounds))
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


async def test_a_flow_has_a_recording_heard(stack: LiveStack) -> None:
    found = await asked(stack, "speech", CLIP)
    assert (found["text"], found["words"]) == (SENTENCE, SENTENCE.split())
    sql = "select * from llm_calls where caller = 'flow hears' and outcome = 'ok'"
    [call] = await eventually(lambda: stack.rows(sql))
    assert (call["door"], call["model"]) == ("audio/transcriptions", "whisper-large-v3-turbo")
    assert call["price_usd"] > 0
    assert call["texts"] is None


async def test_a_flow_is_told_why_nobody_hears(stack: LiveStack, tmp_path: Path) -> None:
    found = await asked(stack, "nobody", CLIP)
    assert "Unavailable" in found["error"]
    assert "nobody hears recordings here: no model 'nobody'" in found["words"]
    for path, words in (
        (tmp_path / "none.ogg", "cannot be read: No such file"),
        (large(tmp_path / "large.ogg", 25), "25.0 MB, and it takes 25"),
        (Path(__file__), "must be one of the following types"),
    ):
        found = await asked(stack, "speech", path)
        assert "Rejected" in found["error"], found
        assert words in found["words"]
