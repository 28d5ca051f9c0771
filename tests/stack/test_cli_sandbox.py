"""The commands of the sandbox."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.sandbox.app import create_app
from deployments.stack import pidfiles
from deployments.stack.sandbox_access import WEBHOOK_SECRET
from tests.sandbox_server import running
from tests.stack.conftest import Potok
from tests.support import until


async def test_a_customer_speaks_through_telegram(potok: Potok) -> None:
    told: list[tuple[str, dict]] = []

    async def hook(request: Request) -> Response:
        secret = request.headers["x-telegram-bot-api-secret-token"]
        told.append((secret, json.loads(await request.body())))
        return Response()

    async with AsyncExitStack() as stack:
        hooks = Starlette(routes=[Route("/hooks/telegram/main", hook, methods=["POST"])])
        gateway = await stack.enter_async_context(running(hooks))
        sandbox = await stack.enter_async_context(running(create_app()))
        ports = {
            "POTOK_PORT": gateway.rpartition(":")[2],
            "POTOK_SANDBOX_PORT": sandbox.rpartition(":")[2],
        }
        words = ("say", "Нужен кредит", "--as", "anna", "--name", "Анна Петрова")
        code, said, wrong = await potok("sandbox", *words, "--phone-card", "+7 916 1", **ports)
        assert (code, wrong) == (0, "")
        await until(lambda: len(told) == 2)
        secrets, updates = zip(*told, strict=True)
        assert set(secrets) == {WEBHOOK_SECRET}
        assert updates[0]["message"]["text"] == "Нужен кредит"
        assert updates[0]["message"]["from"]["last_name"] == "Петрова"
        assert updates[1]["message"]["contact"]["phone_number"] == "79161"
        for update in updates:
            assert f"`potok inbox show telegram:main:{update['update_id']}`" in said

        await _failures_and_resets(potok, ports)


async def _failures_and_resets(potok: Potok, ports: dict[str, str]) -> None:
    code, said, _ = await potok("sandbox", "leads", **ports)
    assert (code, said) == (0, "the stand-in CRM has no leads: `potok sandbox say` makes one\n")
    words = ("silent", "--times", "2", "--set", "seconds=0.5")
    code, said, _ = await potok("sandbox", "fail", "bitrix", *words, **ports)
    assert (code, "silent is on" in said) == (0, True)
    code, _, wrong = await potok("sandbox", "fail", "bitrix", "no_such", **ports)
    assert code == 1
    assert "lose_answer" in wrong
    code, _, wrong = await potok("sandbox", "fail", "amo", "silent", **ports)
    assert wrong == "there is no vendor 'amo': it is one of telegram, bitrix, llm\n"
    code, said, _ = await potok("sandbox", "reset", **ports)
    assert (code, said) == (0, "as at the start: telegram, bitrix, llm\n")


@pytest.mark.parametrize("words", ["say hello", "leads", "fail llm slow", "reset"])
async def test_a_sandbox_that_does_not_run_is_one_line(potok: Potok, words: str) -> None:
    code, said, wrong = await potok("sandbox", *words.split())
    assert (code, said) == (1, "")
    assert wrong == "the sandbox does not run: `potok up --sandbox` starts it\n"


@pytest.mark.parametrize("words", ["sandbox say hello", "demo --once --json"])
async def test_a_stack_with_real_vendors_is_left_alone(
    potok: Potok, tmp_path: Path, words: str
) -> None:
    lock = pidfiles.HomeLock(pidfiles.run_dir(tmp_path))
    assert lock.take()
    pidfiles.write(pidfiles.run_dir(tmp_path), pidfiles.this_process(pidfiles.STACK, "", 1.0))
    code, said, wrong = await potok(*words.split())
    assert (code, said) == (1, "")
    assert wrong.startswith("the stack that runs talks to the real vendors: `potok down`")
    assert wrong.count("\n") == 1
    lock.release()
