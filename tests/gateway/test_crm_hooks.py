"""The door of Bitrix24's outgoing webhook."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

from lib.gateway.crm_hooks import EVENT_MAX_BYTES
from lib.gateway.hooks import DoorKeys
from lib.store.engine import Database
from tests.gateway.bodies import Bodies
from tests.gateway.doors import EVENT_TOKEN, Doors, crm_event, doors_of
from tests.store.making import deliveries
from tests.support import free_port


@pytest.mark.parametrize(
    ("name", "fields", "deployment", "message"),
    [
        ("ONCRMLEADADD", {}, "upkeep/main", {"crm_lead_id": 1000983, "event": "ONCRMLEADADD"}),
        (
            "ONCRMLEADDELETE",
            {},
            "upkeep/main",
            {"crm_lead_id": 1000983, "event": "ONCRMLEADDELETE"},
        ),
        (
            "ONCRMTIMELINECOMMENTADD",
            {},
            "upkeep/main",
            {"crm_comment_id": 1000983, "event": "ONCRMTIMELINECOMMENTADD"},
        ),
        ("ONVOXIMPLANTCALLEND", {"data[CALL_ID]": "c.1"}, "calls/main", {"call_id": "c.1"}),
    ],
)  # fmt: skip
async def test_an_event_is_kept_by_its_ids_and_once(
    db: Database,
    doors: Doors,
    name: str,
    fields: dict[str, str],
    deployment: str,
    message: dict[str, object],
) -> None:
    event = crm_event(name, **fields)
    first, again = await doors.bitrix24(event), await doors.bitrix24(event)
    assert (first.status_code, first.json()) == (200, {"ok": True, "result": "accepted"})
    assert (again.status_code, again.json()["result"]) == (200, "duplicate")
    (row,) = (await deliveries(db)).values()
    assert (row["deployment"], row["message"], row["state"]) == (deployment, message, "received")
    assert row["lane"] == row["person"]
    assert EVENT_TOKEN not in str(row), "what is kept opens no door"


async def test_a_second_change_is_a_second_event_of_the_same_lane(
    db: Database, doors: Doors
) -> None:
    for ts in ("1742807175", "1742807176"):
        assert (await doors.bitrix24(crm_event(ts=ts))).json()["result"] == "accepted"
    rows = (await deliveries(db)).values()
    assert len({row["key"] for row in rows}) == 2
    assert {row["lane"] for row in rows} == {"upkeep:crm_lead_id:1000983"}


@pytest.mark.parametrize("token", ["", "wrong", EVENT_TOKEN + "x", EVENT_TOKEN[:-1], "ключ"])
async def test_a_wrong_token_is_401(db: Database, doors: Doors, token: str) -> None:
    answer = await doors.bitrix24(crm_event(**{"auth[application_token]": token}))
    assert (answer.status_code, answer.json()["error"]) == (401, "BadSignature")
    assert EVENT_TOKEN not in answer.text
    assert await deliveries(db) == {}


@pytest.mark.parametrize("portals", [{}, {"main": ""}, {"other": EVENT_TOKEN}])
async def test_without_a_token_of_ours_there_is_no_door(
    db: Database, portals: dict[str, str]
) -> None:
    async with doors_of(db, DoorKeys(portals=portals)) as doors:
        for token in ("", EVENT_TOKEN):
            answer = await doors.bitrix24(crm_event(**{"auth[application_token]": token}))
            assert (answer.status_code, answer.json()["error"]) == (404, "UnknownDoor")


async def test_what_nobody_uses_is_200_and_what_is_no_event_422(db: Database, doors: Doors) -> None:
    ignored = await doors.bitrix24(crm_event("ONCRMDEALADD"))
    assert (ignored.status_code, ignored.json()["result"]) == (200, "ignored")
    for body in (b"", b"{}", b"\xff\xfe", crm_event(**{"data[FIELDS][ID]": "x"})):
        assert (await doors.bitrix24(body)).status_code == 422
    assert (await doors.bitrix24(b"event=x&" + b"y" * EVENT_MAX_BYTES)).status_code == 413
    assert await deliveries(db) == {}


async def test_a_database_that_is_away_is_503() -> None:
    nowhere = Database(f"postgresql://potok:secret@127.0.0.1:{free_port()}/potok")
    async with doors_of(nowhere) as doors:
        assert (await doors.bitrix24(crm_event())).status_code == 503
    await nowhere.close()


async def test_hostile_bodies_are_never_a_5xx(doors: Doors) -> None:
    bodies = Bodies(seed=7)
    for _ in range(500):
        assert (await doors.bitrix24(bodies.update())).status_code in {401, 413, 422}


def test_the_token_is_compared_in_constant_time_and_shown_nowhere() -> None:
    source = textwrap.dedent(inspect.getsource(DoorKeys.check_portal))
    compared = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare)]
    assert not compared
    assert "hmac.compare_digest(" in source
    assert EVENT_TOKEN not in repr(DoorKeys(portals={"main": EVENT_TOKEN}))
