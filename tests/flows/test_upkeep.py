"""Leads and the CRM kept equal, on the whole stack: by the portal's events, and without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from deployments.stack.sandbox_access import EVENT_TOKEN
from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

UPKEEP = "upkeep/main"


@pytest.fixture
async def upkeep(stack: LiveStack) -> AsyncIterator[LiveStack]:
    """A stack that works on the portal's events."""
    await stack.pause(UPKEEP, paused=False)
    yield stack
    await stack.worked_off(UPKEEP)
    await stack.pause(UPKEEP)


async def upkept(stack: LiveStack) -> list[dict[str, Any]]:
    """One run of it, ended well; the differences that it found."""
    deployment = await stack.prefect(f"/deployments/name/{UPKEEP}")
    run = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", {})
    ended = await stack.run_ended(UUID(run["id"]))
    assert ended["state_type"] == "COMPLETED", ended["state_name"]
    tables = await stack.artifacts(UUID(run["id"]))
    return tables[0] if tables else []


async def new_lead(stack: LiveStack) -> dict[str, Any]:
    """A lead that is here and there; its row here."""
    person = Person()
    update = person.says(f"Нужен кредит, {new_phone()}")
    await stack.post(update)
    await stack.settled([key(update)])
    return await lead_of(stack, person.ref(update))


async def lead_of(stack: LiveStack, origin: str) -> dict[str, Any]:
    (lead,) = await stack.rows("select * from leads where origin = %s", origin)
    return lead


async def move(stack: LiveStack, lead: dict[str, Any], stage: str) -> None:
    """A manager moves it."""
    await stack.bitrix(
        "crm.item.update", entityTypeId=1, id=lead["crm_id"], fields={"stageId": stage}
    )


async def test_a_run_by_schedule_finds_what_no_event_told(stack: LiveStack) -> None:
    moved, lost = await new_lead(stack), await new_lead(stack)
    await upkept(stack)
    await move(stack, moved, "IN_PROCESS")
    await stack.rows("update leads set crm_id = null where id = %s", lost["id"])
    rows = await upkept(stack)
    shown = {"kind": "changed_there", "lead": moved["id"], "crm": moved["crm_id"], "done": "noted"}
    assert shown in rows
    assert {row["kind"] for row in rows if row["lead"] == lost["id"]} == {"not_linked"}
    now = await lead_of(stack, moved["origin"])
    assert (now["crm_stage"], now["crm_state"], now["answered_at"] is None) == (
        "IN_PROCESS", "open", False,
    )  # fmt: skip

    async def linked() -> bool:
        return bool((await lead_of(stack, lost["origin"]))["crm_id"] == lost["crm_id"])

    await eventually(linked)
    assert len(await stack.crm(lost["origin"])) == 1


async def test_an_event_of_the_portal_is_worked_on_by_itself(upkeep: LiveStack) -> None:
    stack = upkeep
    lead = await new_lead(stack)
    handler = {"url": f"{stack.settings.gateway_url}/hooks/bitrix24", "token": EVENT_TOKEN}
    await stack.control("bitrix/handler", handler | {"events": ["ONCRMLEADUPDATE"]})
    try:
        await move(stack, lead, "PROCESSED")

        async def noted() -> bool:
            return bool((await lead_of(stack, lead["origin"]))["crm_stage"] == "PROCESSED")

        await eventually(noted)
    finally:
        await stack.control("bitrix/handler", method="DELETE")
    (delivery,) = await stack.rows(
        "select d.*, b.flow_run_id from deliveries d join batches b on b.id = d.batch_id "
        "where d.message->>'crm_lead_id' = %s",
        str(lead["crm_id"]),
    )
    assert (delivery["deployment"], delivery["message"]["event"]) == (
        "upkeep/main", "ONCRMLEADUPDATE",
    )  # fmt: skip
    ended = await stack.run_ended(delivery["flow_run_id"])
    assert ended["state_type"] == "COMPLETED"
    (table,) = await stack.artifacts(delivery["flow_run_id"])
    assert [row["kind"] for row in table] == ["changed_there"]
