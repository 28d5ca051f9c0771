"""Reminders on the whole stack: managers read them in Telegram, once."""

from __future__ import annotations

from uuid import UUID

from tests.flows.people import Person, new_phone
from tests.flows.test_scoring import said, scored, started
from tests.stack_fixture import LiveStack

ALWAYS = {"hours": "mon-sun 00:00-23:59 Europe/Moscow"}


async def reminded(stack: LiveStack, **parameters: str) -> list[str]:
    """What managers were told by one run."""
    before = len(await stack.sent())
    deployment = await stack.prefect("/deployments/name/reminders/main")
    path = f"/deployments/{deployment['id']}/create_flow_run"
    run = await stack.prefect(path, {"parameters": ALWAYS | parameters})
    ended = await stack.run_ended(UUID(run["id"]))
    assert ended["state_type"] == "COMPLETED", ended["state_name"]
    return (await stack.sent())[before:]


async def test_managers_are_told_of_a_hot_lead_once(stack: LiveStack) -> None:
    anna = Person()
    origin = await said(stack, anna, f"Срочно нужна ипотека 7 млн, {new_phone()}")
    await stack.run_ended(await started(stack))
    lead = await scored(stack, origin, "hot")
    await reminded(stack)  # what other tests left is told
    assert await reminded(stack) == []
    await stack.rows(
        "update leads set opened_at = now() - interval '20 min' where origin = %s", origin
    )
    [told] = await reminded(stack)
    assert "Горячий лид без ответа 20 мин" in told
    assert f"/crm/lead/details/{lead['crm_id']}/" in told
    assert "/rest/" not in told
    assert await reminded(stack) == []


async def test_nobody_is_told_outside_of_working_hours(stack: LiveStack) -> None:
    boris = Person()
    origin = await said(stack, boris, f"Срочно нужна ипотека 8 млн, {new_phone()}")
    await stack.run_ended(await started(stack))
    await scored(stack, origin, "hot")
    await stack.rows(
        "update leads set opened_at = now() - interval '20 min' where origin = %s", origin
    )
    never = "mon-mon 00:00-00:01 Pacific/Kiritimati"
    assert await reminded(stack, hours=never) == []
    assert len(await reminded(stack)) == 1
