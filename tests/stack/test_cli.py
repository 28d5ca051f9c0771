from __future__ import annotations

import json
import socket
from pathlib import Path

import psutil
import pytest

from deployments.cli.doctor import BROKEN, MISSING, OK, examine
from deployments.settings import read_settings
from deployments.stack import pidfiles
from tests.stack.conftest import run_potok as potok
from tests.support import free_port, until


async def test_a_home_where_nothing_runs(tmp_path: Path) -> None:
    assert await potok(tmp_path, "down") == (0, "stopping …\nnothing was running\n", "")
    code, said, _ = await potok(tmp_path, "status")
    assert (code, said) == (1, "not running: `potok up` starts it\n")
    code, said, _ = await potok(tmp_path, "status", "--json")
    assert (code, json.loads(said)) == (1, [])
    code, said, _ = await potok(tmp_path, "doctor")
    assert code == 0
    assert "the sandbox stands in" in said


@pytest.mark.parametrize("words", [("up",), ("up", "--detach")])
async def test_a_taken_port_is_one_line_and_exit_code_1(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        down = f"postgresql://u:p@127.0.0.1:{free_port()}/potok"
        code, _, wrong = await potok(tmp_path, *words, POTOK_PORT=port, DATABASE_URL=down)
    assert code == 1
    assert wrong.strip().splitlines() == [wrong.strip()]
    assert f"port {port} is taken by " in wrong
    assert "set POTOK_PORT" in wrong


async def test_a_wrong_variable_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    code, said, wrong = await potok(tmp_path, "up", POTOK_PORT="web")
    assert (code, said) == (1, "")
    assert wrong == "POTOK_PORT should be a port, 1 to 65535, and it is 'web'\n"


async def test_init_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    code, _, wrong = await potok(tmp_path, "init")
    assert code == 1
    assert "Prefect does not answer at http://127.0.0.1:" in wrong
    assert "`potok up`" in wrong


async def test_the_doctor_names_what_is_missing_and_what_is_broken(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    settings = read_settings(
        POTOK_HOME=tmp_path,
        TELEGRAM_BOT_TOKEN="1:hidden-token",
        TELEGRAM_API_BASE=nobody,
        LLM_BASE_URL=f"{nobody}/v1",
        LLM_MODEL="m",
        LLM_API_KEY="hidden-key",
        FORWARDER_SECRET="whsec_" + "hidden00" * 4,
    )
    findings = {finding.name: finding for finding in await examine(settings)}
    assert findings["Telegram"].state == BROKEN
    assert findings["LLM"].state == BROKEN
    assert findings["Bitrix24"].state == MISSING
    assert findings["FORWARDER_SECRET"].state == OK
    assert findings["TELEGRAM_WEBHOOK_SECRET"].state == MISSING
    assert findings["deliveries"].state == MISSING
    assert "set TELEGRAM_WEBHOOK_URL and TELEGRAM_WEBHOOK_SECRET" in findings["deliveries"].words
    assert not [one for one in findings.values() if "hidden" in one.words]


@pytest.mark.slow
async def test_up_killed_up_again_and_down(open_dir: Path) -> None:
    home = open_dir / "whole"
    names = ("", "LLM_", "SANDBOX_", "PREFECT_", "PG_")
    ports = {f"POTOK_{name}PORT": str(free_port()) for name in names}
    code, said, wrong = await potok(home, "up", "--sandbox", "--detach", **ports)
    assert (code, wrong) == (0, "")
    assert "Ready in" in said
    code, said, _ = await potok(home, "status", "--json", **ports)
    rows = json.loads(said)
    assert code == 0
    assert {row["name"] for row in rows} >= {"supervisor", "postgres", "prefect", "gateway"}
    first = [psutil.Process(row["pid"]) for row in rows]

    first[0].kill()
    await until(lambda: not pidfiles.is_alive(first[0]))
    code, _, wrong = await potok(home, "up", "--sandbox", "--detach", **ports)
    assert (code, wrong) == (0, "")
    assert not [one for one in first if pidfiles.is_alive(one)]
    code, said, wrong = await potok(home, "doctor", **ports)
    assert (code, wrong) == (0, "")

    code, said, _ = await potok(home, "down", **ports)
    assert (code, said) == (0, "stopping …\nstopped\n")
    assert pidfiles.read_all(home / "run") == []
