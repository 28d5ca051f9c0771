"""Scoring on the whole stack: a lead that changes gets a score, here and in the CRM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

SCORING = "scoring/main"


@pytest.fixture
async def scoring(stack: LiveStack) -> AsyncIterator[LiveStack]:
    """A stack that scores what changes; what earlier tests left is scored first."""
    await stack.pause(SCORING, paused=False)

    await stack.worked_off(SCORING)
    yield stack
    await stack.worked_off(SCORING)
    await stack.pause(SCORING)


async def said(stack: LiveStack, person: Person, text: str) -> str:
    """A message, taken and done."""
    update = person.says(text)
    await stack.post(update)
    await stack.settled([key(update)])
    return person.ref(update)


async def scored(stack: LiveStack, origin: str, band: str) -> dict[str, Any]:
    """A lead's score, once it is in a band and the CRM was told."""

    async def is_told() -> dict[str, Any] | None:
        [row] = await stack.rows(
            "select s.*, l.crm_id from leads l left join scores s on s.lead_id = l.id "
            "where l.origin = %s",
            origin,
        )
        return row if row["crm_band"] == band and row["crm_score"] == row["score"] else None

    return await eventually(is_told)


async def notes(stack: LiveStack, origin: str) -> list[str]:
    """The timeline's comments on a lead's score."""
    [lead] = await stack.crm(origin)
    texts = [note["COMMENT"] for note in lead["timeline"]]
    return [text for text in texts if text.startswith("Оценка лида")]


async def test_a_lead_is_scored_when_it_changes_and_its_band_is_told_once(
    scoring: LiveStack,
) -> None:
    anna = Person()
    origin = await said(scoring, anna, "Здравствуйте, нужна консультация")
    cold = await scored(scoring, origin, "cold")
    assert await notes(scoring, origin) == []
    await said(scoring, anna, f"Срочно нужна ипотека 7 млн, {new_phone()}")
    hot = await scored(scoring, origin, "hot")
    assert hot["score"] > cold["score"]
    assert [15, "назвал сумму 7 000 000 ₽"] in hot["reasons"]
    [note] = await notes(scoring, origin)
    assert f"{hot['score']} из 100, горячий" in note
    await said(scoring, anna, "Жду ответа")
    await scored(scoring, origin, "hot")
    assert len(await notes(scoring, origin)) == 1


async def test_a_lost_answer_doubles_no_comment(scoring: LiveStack) -> None:
    boris = Person()
    origin = await said(scoring, boris, "Здравствуйте, нужна консультация")
    await scored(scoring, origin, "cold")
    await scoring.pause(SCORING)
    await said(scoring, boris, f"Срочно нужна ипотека 9 млн, {new_phone()}")
    await scoring.control("bitrix/failures", {"kind": "lose_answer", "times": 1})
    run = await started(scoring)
    assert (await scoring.run_ended(run))["state_type"] == "COMPLETED"
    await scored(scoring, origin, "hot")
    assert len(await notes(scoring, origin)) == 1
    await scoring.pause(SCORING, paused=False)


async def test_every_open_lead_is_scored_without_events(stack: LiveStack) -> None:
    vera = Person()
    origin = await said(stack, vera, f"Нужен лизинг 3 млн, {new_phone()}")
    run = await started(stack)
    assert (await stack.run_ended(run))["state_type"] == "COMPLETED"
    await scored(stack, origin, "warm")
    [table] = await stack.artifacts(run)
    [open_leads] = await stack.rows("select count(*) as n from leads")
    assert sum(row["leads"] for row in table) == open_leads["n"]


async def started(stack: LiveStack) -> UUID:
    """A run over all open leads."""
    deployment = await stack.prefect(f"/deployments/name/{SCORING}")
    run = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", {})
    return UUID(run["id"])
