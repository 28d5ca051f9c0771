"""After all that: where secrets and people's words are not. Named to come last in this room."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from deployments.stack import pidfiles
from deployments.stack.sandbox_access import (
    BITRIX_PATH,
    BOT_TOKEN,
    EVENT_TOKEN,
    FORWARDER_SECRET,
    WEBHOOK_SECRET,
)
from tests.flows.checks import WORDS
from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack

PAGE = 200


def secrets_of(stack: LiveStack) -> list[str]:
    password = stack.settings.pg_password_path.read_text().strip()
    return [BOT_TOKEN, WEBHOOK_SECRET, FORWARDER_SECRET, BITRIX_PATH, EVENT_TOKEN, password]


async def all_of(stack: LiveStack, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        body = {"limit": PAGE, "offset": len(found)}
        page = await stack.prefect(f"/{kind}/filter", body)
        found += page
        if len(page) < PAGE:
            return found


# Ids, names of ours, days, hours and seconds; of a test's flow the path of its recording.
IDS = {
    *("batch_id", "portal", "model", "router", "alias", "fail", "service", "sound"),
    *("hours", "monday", "since"),
    *("site", "again_s", "taken_within_s"),
}


@pytest.mark.parametrize("kind", ["flow_runs", "task_runs", "artifacts", "logs"])
async def test_prefect_knows_no_secret_and_nothing_that_a_person_wrote(
    stack: LiveStack, kind: str
) -> None:
    update = Person().says(f"Нужен кредит, {new_phone()}")
    await stack.post(update)
    await stack.settled([key(update)])
    found = await all_of(stack, kind)
    assert found
    for each in found:
        for hidden in (*secrets_of(stack), *WORDS):
            assert hidden not in str(each)


async def test_parameters_of_runs_are_ids(stack: LiveStack) -> None:
    for run in await all_of(stack, "flow_runs"):
        assert set(run["parameters"]) <= IDS


async def test_no_file_but_the_database_keeps_a_secret(stack: LiveStack) -> None:
    home = stack.settings.home

    def look() -> None:
        for path in home.rglob("*"):
            if not path.is_file() or path == stack.settings.pg_password_path:
                continue
            if home / "postgres" in path.parents:
                continue
            content = path.read_bytes()
            for hidden in (*secrets_of(stack), *WORDS):
                assert hidden.encode() not in content, path.name
                assert base64.b64encode(hidden.encode())[:-4] not in content, path.name

    await asyncio.to_thread(look)


async def test_no_command_line_shows_a_secret(stack: LiveStack) -> None:
    """Any user of the machine can read those."""
    processes = list(pidfiles.marked(stack.stack.supervisor.mark))
    assert len(processes) > 5
    for process in processes:
        for hidden in secrets_of(stack):
            assert hidden not in " ".join(process.cmdline())
