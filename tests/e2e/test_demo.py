"""The demo as a person starts it, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.cli import follow
from deployments.cli.follow import Sent, steps_from
from deployments.cli.showing import bring_lead, customer_from
from deployments.sandbox.app import create_app
from deployments.settings import read_settings
from deployments.stack import ports
from lib.domain.inquiry import rules_inquiry
from lib.domain.telegram import message_from_update
from lib.errors import Unavailable
from lib.store.traces import Trace
from tests.sandbox_server import running
from tests.support import free_port, until

WITHIN_S = 400.0


@pytest.fixture(scope="module")
def env(open_dir: Path) -> dict[str, str]:
    """A home of its own, with free ports."""
    names = ("", "LLM_", "SPEECH_", "SANDBOX_", "PREFECT_", "PG_")
    free = {f"POTOK_{name}PORT": str(free_port()) for name in names}
    return free | {"PATH": os.environ["PATH"], "POTOK_HOME": str(open_dir / "demo")}


async def start_demo(env: dict[str, str]) -> Process:
    words = ("-m", "deployments.cli.app", "demo", "--once", "--json")
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env, stdout=PIPE, stderr=PIPE
    )


async def demonstrated(env: dict[str, str]) -> dict[str, Any]:
    """What a whole demo prints, after which nothing of it may be left."""
    process = await start_demo(env)
    said, progress = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0, progress.decode()
    assert said.count(b"\n") == 1
    for words in (
        "Ready in",
        "Telegram",
        "gateway",
        "dispatcher",
        "PostgreSQL",
        "Bitrix24",
        "speech",
    ):
        assert words in progress.decode()
    check_nothing_left(env)
    found: dict[str, Any] = json.loads(said)
    return found


def check_nothing_left(env: dict[str, str]) -> None:
    assert [process.cmdline() for process in processes_of(env["POTOK_HOME"])] == []
    taken = [name for name, port in env.items() if "PORT" in name and not ports.is_free(int(port))]
    assert taken == []
    assert [path.name for path in (Path(env["POTOK_HOME"]) / "run").iterdir()] == ["lock"]


def processes_of(home: str) -> Iterator[psutil.Process]:
    """Those with this POTOK_HOME in their environment or on their command line."""
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("POTOK_HOME") == home
            if mine or any(home in word for word in process.cmdline()):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


async def test_the_demo_makes_a_new_lead_each_time_and_leaves_nothing(env: dict[str, str]) -> None:
    first, second = await demonstrated(env), await demonstrated(env)
    names = ["lead_id", "crm_id", "flow_run_id", "webhook_to_crm_ms", "name", "phone", "amount"]
    names.append("voice")
    for found in (first, second):
        assert list(found) == names
        assert found["amount"] == 5_000_000
        assert found["crm_id"] > 0
        assert 0 < found["webhook_to_crm_ms"] < 60_000
        assert found["phone"].startswith("+7916")
        assert len(found["name"].split()) == 2
        assert UUID(found["flow_run_id"])
        assert "хочу бежать" in found["voice"]["text"]
        assert found["voice"]["lead_id"] > found["lead_id"]
        assert found["voice"]["crm_id"] > 0
    assert second["lead_id"] > first["lead_id"]
    assert second["flow_run_id"] != first["flow_run_id"]
    assert second["phone"] != first["phone"]


async def test_a_demo_that_is_interrupted_says_so_and_leaves_nothing(env: dict[str, str]) -> None:
    process = await start_demo(env)
    await until((Path(env["POTOK_HOME"]) / "run" / "prefect.json").exists, within_s=WITHIN_S)
    process.send_signal(signal.SIGTERM)
    said, wrong = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert (process.returncode, said) == (1, b"")
    assert wrong.decode().splitlines()[-1] == "interrupted; everything is stopped"
    check_nothing_left(env)


async def test_a_message_that_gets_nowhere_says_how_far_it_came(
    database: str, open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "WITHIN_S", 2.0)
    monkeypatch.setenv("POTOK_HOME", str(open_dir / "stuck"))
    monkeypatch.setenv("POTOK_PORT", str(free_port()))
    monkeypatch.setenv("DATABASE_URL", database)
    async with running(create_app()) as url:
        monkeypatch.setenv("POTOK_SANDBOX_PORT", url.rpartition(":")[2])
        with pytest.raises(Unavailable) as caught:
            await bring_lead(read_settings(), customer_from(1), pytest.fail)
    words = "Telegram could not deliver the message to the webhook within 2 s: Connection"
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith(f"(log: {open_dir}/stuck/log/gateway.log)")


@given(st.integers(0, 2**40))
def test_rules_alone_read_what_the_customer_writes(number: int) -> None:
    customer = customer_from(number)
    sender = {"id": 5, "is_bot": False, "first_name": "x"}
    chat = {"id": 5, "type": "private", "first_name": "x"}
    message = {
        "message_id": 1,
        "date": 1_795_000_000,
        "chat": chat,
        "from": sender,
        "text": customer.text,
    }
    read = message_from_update("main", {"update_id": 1, "message": message})
    assert read is not None
    inquiry = rules_inquiry(read)
    assert inquiry.is_lead
    assert inquiry.name == customer.name
    assert inquiry.phone == f"+7916{number % 10_000_000:07}"
    assert (inquiry.amount, inquiry.currency) == (5_000_000, "RUB")


def test_the_steps_of_the_way() -> None:
    began = datetime(2026, 11, 23, tzinfo=UTC)
    at = [began + timedelta(milliseconds=ms) for ms in (0, 10, 30, 100, 200, 260, 300)]
    new = Trace(1, "received", None, None, at[1], None, None, None, None, None, None, None, None)
    sent = Sent(at[0], at[1])
    assert steps_from(None, new) == steps_from(sent, None) == []
    assert [step.where for step in steps_from(sent, new)] == ["Telegram", "gateway"]
    started = replace(new, claimed_at=at[2], flow_run_id=uuid4(), started_at=at[3])
    assert len(steps_from(sent, started)) == 4
    done = replace(
        started,
        stored_at=at[4], crm_at=at[5], settled_at=at[6],
        lead_id=7, crm_id=8, outcome={"ms": {"read": 40}},
    )  # fmt: skip
    assert [step.took_ms for step in steps_from(sent, done)] == [10, 10, 20, 70, 40, 60, 60]
