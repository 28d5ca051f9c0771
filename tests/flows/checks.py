"""What holds after every test, whatever it did to the stack."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from deployments.stack.sandbox_access import (
    BITRIX_PATH,
    BOT_TOKEN,
    EVENT_TOKEN,
    FORWARDER_SECRET,
    WEBHOOK_SECRET,
)
from tests.stack_fixture import OVER, LiveStack, eventually

WORDS = ("+7916", "кредит")  # of every phone and most messages that tests make up

_OPEN = """
    select (select count(*) from batches where closed_at is null) as batches,
      (select count(*) from deliveries where deployment = 'leads/main'
         and state in ('received', 'claimed', 'failed')) as waiting
"""
_RUN_STATES = {"SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"}

_NUMBER = re.compile(r"слово-(\d+)-")


def numbers_said(lead: dict[str, Any]) -> list[int]:
    """The numbers ``слово-7-`` of a person's messages, in the order in which the CRM has them."""
    said = [lead["comments"], *(note["COMMENT"] for note in lead["timeline"])]
    return [int(number) for text in said for number in _NUMBER.findall(text)]


def runs_alive() -> dict[str, Any]:
    """A filter of flow runs that are due and have not ended; a schedule makes others ahead."""
    due = {"before_": datetime.now(UTC).isoformat()}
    states = {"type": {"any_": sorted(_RUN_STATES)}}
    return {"flow_runs": {"state": states, "expected_start_time": due}}


async def check_nothing_is_left(stack: LiveStack) -> None:
    """No delivery and no batch is open, and no flow run is left alive."""
    assert not _RUN_STATES & OVER

    async def nothing_open() -> bool:
        return await stack.rows(_OPEN) == [{"batches": 0, "waiting": 0}]

    async def nothing_runs() -> bool:
        return bool(await stack.prefect("/flow_runs/count", runs_alive()) == 0)

    await eventually(nothing_open)
    await eventually(nothing_runs)


async def check_nothing_is_there_twice(stack: LiveStack) -> None:
    """Every lead here has its own lead in the CRM, and no lead of ours is there twice."""
    there = await stack.crm()
    origins = [lead["originId"] for lead in there if lead["originId"]]
    assert len(origins) == len(set(origins))
    ids = {lead["id"] for lead in there}
    for lead in await stack.rows("select origin, crm_id, crm_linked from leads"):
        assert lead["crm_id"] in ids
        assert lead["crm_linked"] or lead["origin"] in origins


async def check_nothing_is_told(stack: LiveStack) -> None:
    """No log holds a secret or what a person wrote."""
    password = stack.settings.pg_password_path.read_text().strip()
    secrets = (BOT_TOKEN, WEBHOOK_SECRET, FORWARDER_SECRET, BITRIX_PATH, EVENT_TOKEN, password)
    for log in sorted(stack.stack.supervisor.log_dir.iterdir()):
        text = log.read_text("utf-8", "replace")
        for secret in (*secrets, *WORDS):
            assert secret not in text, f"{log.name} tells {secret[:6]}…"
