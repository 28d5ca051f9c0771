"""The week's report on the whole stack: in Telegram with a picture, and on the run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.flows.people import Person, new_phone
from tests.flows.test_scoring import said
from tests.stack_fixture import ALERT_CHAT, LiveStack

NEXT_MONDAY = "select (date_trunc('week', now()) + interval '7 d')::date as monday"


async def reported(stack: LiveStack, monday: str) -> tuple[dict[str, Any], UUID]:
    """A run of the report, ended."""
    deployment = await stack.prefect("/deployments/name/weekly/main")
    path = f"/deployments/{deployment['id']}/create_flow_run"
    run = await stack.prefect(path, {"parameters": {"monday": monday}})
    return await stack.run_ended(UUID(run["id"])), UUID(run["id"])


async def test_managers_get_the_week_with_its_plots(stack: LiveStack) -> None:
    vera = Person()
    origin = await said(stack, vera, f"Нужен лизинг 3 млн, {new_phone()}")
    [row] = await stack.rows(NEXT_MONDAY)  # no other test has leads there
    await stack.rows(
        "update leads set opened_at = %s::timestamptz + interval '1 d' where origin = %s",
        row["monday"],
        origin,
    )
    ended, run = await reported(stack, row["monday"].isoformat())
    assert ended["state_type"] == "COMPLETED", ended["state_name"]
    sent = (await stack.control(f"telegram/sent?chat_id={ALERT_CHAT}"))["messages"][-1]["message"]
    assert sent["photo"]
    assert "Лидов: 1 (неделей раньше" in sent["caption"]
    shown = {"flow_run_id": {"any_": [str(run)]}, "type": {"any_": ["markdown"]}}
    [artifact] = await stack.prefect("/artifacts/filter", {"artifacts": shown})
    assert "(data:image/png;base64,iVBOR" in artifact["data"]


async def test_a_week_begins_on_a_monday(stack: LiveStack) -> None:
    ended, _ = await reported(stack, "2026-11-24")
    assert ended["state_type"] == "FAILED"
    assert "2026-11-24 is no Monday of these years" in ended["state"]["message"]
