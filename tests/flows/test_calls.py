"""Calls on the whole stack: they are counted here, and the CRM and the scoring follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

CALLS = "calls/main"
FIELD = "UF_CRM_POTOK_CALLS"


@pytest.fixture
async def calls(stack: LiveStack) -> AsyncIterator[LiveStack]:
    """A stack whose calls are counted when an event says so."""
    wish = {"FIELD_NAME": "POTOK_CALLS", "USER_TYPE_ID": "integer"}
    if not await stack.bitrix("crm.lead.userfield.list", filter={"FIELD_NAME": FIELD}):
        await stack.bitrix("crm.lead.userfield.add", fields=wish)
    await stack.pause(CALLS, paused=False)

    yield stack
    await stack.worked_off(CALLS)
    await stack.pause(CALLS)


async def a_lead(stack: LiveStack) -> dict[str, Any]:
    """A lead of a new person, here and in the CRM."""
    update = (person := Person()).says(f"Нужен лизинг 3 млн, {new_phone()}")
    await stack.post(update)
    await stack.settled([key(update)])
    [lead] = await stack.rows("select * from leads where origin = %s", person.ref(update))
    return lead


async def counted(stack: LiveStack, **parameters: Any) -> dict[str, int]:
    """One run without events, ended well; what its table says."""
    table, state = await run_of(stack, **parameters)
    assert state == "COMPLETED"
    return table


async def run_of(stack: LiveStack, **parameters: Any) -> tuple[dict[str, int], str]:
    deployment = await stack.prefect(f"/deployments/name/{CALLS}")
    body = {"parameters": parameters}
    run = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", body)
    ended = await stack.run_ended(UUID(run["id"]))
    [table] = await stack.artifacts(UUID(run["id"]))
    return {row["what"]: row["count"] for row in table}, ended["state_type"]


async def in_crm(stack: LiveStack, crm_id: int, number: int) -> None:
    """The lead there has this number of calls."""

    async def has_it() -> bool:
        [lead] = [each for each in await stack.crm() if each["id"] == crm_id]
        return bool(lead.get(FIELD) == number)

    await eventually(has_it)


def call_of(kind: str, number: int, **changed: Any) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"CRM_ENTITY_TYPE": kind, "CRM_ENTITY_ID": number, "CALL_START_DATE": at} | changed


async def test_calls_of_a_lead_are_counted_here_and_in_the_crm(calls: LiveStack) -> None:
    lead = await a_lead(calls)
    crm_id = lead["crm_id"]
    both = [["CONTACT", 3], ["LEAD", crm_id]]
    await calls.control(
        "bitrix/calls",
        [
            call_of("LEAD", crm_id, CALL_DURATION=100),
            call_of("LEAD", crm_id, CALL_TYPE=1, CALL_DURATION=20),
            call_of("CONTACT", 3, bindings=both, CALL_FAILED_CODE="304", CALL_DURATION=0),
            call_of("CONTACT", 3),
            call_of("DEAL", 3),
            call_of("LEAD", crm_id, CALL_FAILED_CODE="777"),
            call_of("LEAD", crm_id, CALL_TYPE="9"),
        ],
    )
    table = await counted(calls)
    assert table["new calls"] >= 7
    assert table["problem: unknown_entity"] >= 1
    assert table["problem: unknown_code"] >= 1
    assert table["problem: unknown_type"] >= 1
    [found] = await calls.rows(
        "select count(*) as n, sum(seconds) as seconds,"
        " count(*) filter (where outcome = 'missed') as missed from calls where lead_id = %s",
        lead["id"],
    )
    assert found == {"n": 5, "seconds": 240, "missed": 1}
    await in_crm(calls, crm_id, 5)
    [after] = await calls.rows("select answered_at from leads where id = %s", lead["id"])
    assert after["answered_at"] >= lead["opened_at"].replace(microsecond=0)
    news = await calls.rows(
        "select id from deliveries where lane = %s", f"scoring:lead:{lead['id']}"
    )
    assert news  # one that still waits is of its message and of its calls
    again = await counted(calls)
    assert (again["new calls"], again["leads whose calls changed"]) == (0, 0)


async def test_the_end_of_a_call_is_enough(calls: LiveStack) -> None:
    lead = await a_lead(calls)
    await calls.control("bitrix/calls", call_of("LEAD", lead["crm_id"]))
    await calls.rows(
        "insert into deliveries (key, deployment, source, lane, person, message, raw)"
        " values ('calls:call:x:' || clock_timestamp(), %s, 'bitrix', 'calls:call:x',"
        " 'calls:call:x', '{\"call_id\": \"x\"}', '')",
        CALLS,
    )
    await in_crm(calls, lead["crm_id"], 1)


async def test_what_may_not_be_seen_is_told_and_the_next_run_makes_up_for_it(
    calls: LiveStack,
) -> None:
    lead = await a_lead(calls)
    await calls.control("bitrix/calls", call_of("LEAD", lead["crm_id"]))
    methods = ["voximplant.statistic.get"]
    await calls.control("bitrix/failures", {"kind": "insufficient_scope", "methods": methods})
    table, state = await run_of(calls)
    assert (table["problem: Denied"], state) == (1, "FAILED")
    await calls.be_honest()
    await counted(calls)
    await in_crm(calls, lead["crm_id"], 1)


async def test_bindings_that_may_not_be_seen_stop_no_other_call(calls: LiveStack) -> None:
    lead = await a_lead(calls)
    both = [["CONTACT", 3], ["LEAD", lead["crm_id"]]]
    long_ago = (datetime.now(UTC) - timedelta(days=9)).isoformat(timespec="seconds")
    await calls.control(
        "bitrix/calls",
        [
            call_of("CONTACT", 3, bindings=both, CALL_START_DATE=long_ago),
            call_of("LEAD", lead["crm_id"]),
        ],
    )
    await calls.control(
        "bitrix/failures", {"kind": "insufficient_scope", "methods": ["crm.activity.list"]}
    )
    table = await counted(calls)
    assert table["problem: Denied"] >= 1
    await in_crm(calls, lead["crm_id"], 1)
    await calls.be_honest()
    said = await calls.potok("calls", "recount", "--since", "2026-01-01")
    assert "calls read" in said
    await in_crm(calls, lead["crm_id"], 2)
    shown = await calls.potok("calls", "show", str(lead["id"]))
    assert "incoming" in shown
    assert "2" in shown


async def test_two_counts_at_once_are_harmless(calls: LiveStack) -> None:
    lead = await a_lead(calls)
    many = [call_of("LEAD", lead["crm_id"]) for _ in range(120)]
    await calls.control("bitrix/calls", many)
    deployment = await calls.prefect(f"/deployments/name/{CALLS}")
    runs = [
        await calls.prefect(f"/deployments/{deployment['id']}/create_flow_run", {})
        for _ in range(2)
    ]
    for run in runs:
        assert (await calls.run_ended(UUID(run["id"])))["state_type"] == "COMPLETED"
    await in_crm(calls, lead["crm_id"], 120)
