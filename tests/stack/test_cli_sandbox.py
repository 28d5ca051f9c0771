"""The commands of the sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.cli.sandbox_calls import VENDORS
from deployments.sandbox.app import create_app
from deployments.stack import pidfiles
from deployments.stack.sandbox_access import BITRIX_PATH, WEBHOOK_SECRET
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
    assert (code, said) == (0, "bitrix: silent is on for 2 calls\n")
    code, _, wrong = await potok("sandbox", "fail", "bitrix", "no_such", **ports)
    assert code == 1
    assert "lose_answer" in wrong
    code, _, wrong = await potok("sandbox", "fail", "amo", "silent", **ports)
    assert wrong == f"there is no vendor 'amo': it is one of {', '.join(VENDORS)}\n"
    code, said, _ = await potok("sandbox", "reset", **ports)
    assert (code, said) == (0, f"as at the start: {', '.join(VENDORS)}\n")


@pytest.fixture
async def sandbox() -> AsyncIterator[dict[str, str]]:
    """A sandbox of its own: the variable with its port."""
    async with running(create_app()) as url:
        yield {"POTOK_SANDBOX_PORT": url.rpartition(":")[2]}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("fail bitrix flood", "the sandbox refuses: kind is one of html_502, insufficient_scope,"),
        ("fail bitrix silent --set foo=1", "silent has no field foo: it has times, methods, seco"),
        ("fail bitrix poison --set how=504", "poison has no field how: it has times, methods, ma"),
        ("fail bitrix silent --set seconds=soon", "seconds should be a valid number, unable"),
        ("fail bitrix lose_answer --set how=502", "how should be 'close' or '504'"),
        ("fail llm slow --set method=x", "slow has no field method: it has times, delay_s"),
        ("fail ollama blocked", "kind is one of cut, empty, error_midstream, garbage_midstream,"),
        ("fail groq cut --set delay_s=1", "cut has no field delay_s: it has times, model, method"),
        ("fail llm status --set status=200", "status should be greater than or equal to 400"),
        ("fail telegram hang --set delay_s=1", "hang has no field delay_s: it has times, method"),
        ("fail telegram slow --set delay_s=NaN", "NaN and Infinity are no numbers"),
        ("fail telegram slow --set delay_s=nan", "delay_s should be a finite number"),
        ("say \udcff", "this text has bytes that are no UTF-8"),
    ],
)
async def test_a_refusal_is_one_true_line(
    potok: Potok, sandbox: dict[str, str], words: str, line: str
) -> None:
    code, said, wrong = await potok("sandbox", *words.split(), **sandbox)
    assert (code, said) == (1, "")
    assert line in wrong
    assert wrong.count("\n") == 1


async def test_failures_are_ended_and_nothing_is_forgotten(
    potok: Potok, sandbox: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{sandbox['POTOK_SANDBOX_PORT']}{BITRIX_PATH}crm.lead.add"
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        added = await http.post(url, json={"fields": {"TITLE": "Лид"}})
    code, said, _ = await potok("sandbox", "heal", **sandbox)
    idle = "".join(f"{vendor}: nothing is on\n" for vendor in VENDORS)
    assert (code, said) == (0, idle)
    poison = ("fail", "bitrix", "poison", "--set", "marker=5")
    assert (await potok("sandbox", *poison, **sandbox))[1] == (
        "bitrix: poison is on until it is ended: `potok sandbox heal bitrix`\n"
    )
    lost = ("fail", "bitrix", "lose_answer", "--set", "how=504")
    _, said, _ = await potok("sandbox", *lost, **sandbox)
    assert said == "bitrix: lose_answer is on for 1 call\n"
    _, said, _ = await potok("sandbox", "fail", "telegram", "hang", "--times", "2", **sandbox)
    assert said == "telegram: hang is on for 2 calls\n"
    _, said, _ = await potok("sandbox", "fail", "llm", "hang", **sandbox)
    assert said == "llm: hang is on until it is ended: `potok sandbox heal llm`\n"
    _, said, _ = await potok("sandbox", "heal", "llm", "bitrix", **sandbox)
    assert said == "llm: ended hang\nbitrix: ended poison, lose_answer\n"
    _, said, _ = await potok("sandbox", "heal", "llm", **sandbox)
    assert said == idle.replace("telegram: nothing is on", "telegram: hang is on for 2 calls")
    _, said, _ = await potok("sandbox", "leads", "--json", **sandbox)
    assert [lead["id"] for lead in json.loads(said)] == [added.json()["result"]]


@pytest.mark.parametrize("words", ["say hello", "leads", "fail llm slow", "heal", "reset"])
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
