"""The door of the speech service's callbacks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from lib.gateway.hooks import DoorKeys
from lib.store.engine import Database
from tests.gateway.doors import OTHER_SECRET, SPEECH_SECRET, Doors, as_bytes, doors_of, signature
from tests.store.making import deliveries

JOB = str(uuid4())
BODY = {"type": "asr.completed", "data": {"job_id": JOB, "text": "тайна"}}


async def call(doors: Doors, body: Any, **signed: Any) -> tuple[int, str]:
    content = as_bytes(body)
    headers = signature(content, **{"secret": SPEECH_SECRET} | signed)
    answer = await doors.client.post("/hooks/speech", content=content, headers=headers)
    said = answer.json()
    return answer.status_code, said.get("result") or said["error"]


async def test_the_end_of_a_job_is_kept_once_and_without_its_words(
    db: Database, doors: Doors
) -> None:
    assert await call(doors, BODY) == (200, "accepted")
    assert await call(doors, BODY | {"type": "asr.failed"}) == (200, "duplicate")
    (row,) = (await deliveries(db)).values()
    assert (row["deployment"], row["message"]) == ("transcripts/main", {"job_id": JOB})
    assert "тайна" not in str(row)


@pytest.mark.parametrize(
    "signed", [{"secret": OTHER_SECRET}, {"age": timedelta(minutes=6)}], ids=["other", "old"]
)
async def test_a_wrong_signature_is_401(db: Database, doors: Doors, signed: dict[str, Any]) -> None:
    assert await call(doors, BODY, **signed) == (401, "BadSignature")
    assert await deliveries(db) == {}


@pytest.mark.parametrize(
    "data", [None, {}, [], {"job_id": None}, {"job_id": 7}, {"job_id": "x"}, {"job_id": [JOB]}]
)
async def test_a_body_that_names_no_job_is_422(db: Database, doors: Doors, data: Any) -> None:
    assert await call(doors, BODY | {"data": data}) == (422, "Rejected")
    assert await call(doors, [1]) == (422, "Rejected")
    assert await deliveries(db) == {}


async def test_another_event_is_ignored(db: Database, doors: Doors) -> None:
    assert await call(doors, BODY | {"type": "asr.progress"}) == (200, "ignored")
    assert await deliveries(db) == {}


async def test_without_a_service_there_is_no_door(db: Database) -> None:
    async with doors_of(db, DoorKeys()) as doors:
        assert await call(doors, BODY) == (404, "UnknownDoor")
