"""The forwarder's door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from lib.gateway.hooks import DoorKeys
from lib.store.engine import Database
from tests.domain.making import update
from tests.gateway.doors import (
    BOT_SECRET,
    OLD_SECRET,
    OTHER_SECRET,
    SECRET,
    Doors,
    contract,
    doors_of,
    signature,
)
from tests.store.making import deliveries


async def test_a_signed_message_is_accepted_once(db: Database, doors: Doors) -> None:
    first, again = await doors.forwarder(contract()), await doors.forwarder(contract())
    assert [first.json()["result"], again.json()["result"]] == ["accepted", "duplicate"]
    assert list(await deliveries(db)) == ["forwarder:office:7:5:0"]


async def test_the_old_secret_is_good_while_it_is_known(db: Database, doors: Doors) -> None:
    assert (await doors.forwarder(contract(), secret=OLD_SECRET)).status_code == 200
    async with doors_of(db, DoorKeys({}, (SECRET,))) as newer:
        assert (await newer.forwarder(contract(), secret=OLD_SECRET)).status_code == 401


@pytest.mark.parametrize(
    "beside", ["v1a,AAAA {other}", "v1,xx", "bad", ",", "v1,a,b", "v1,%%%", "v1,", "{other} v1 "]
)
async def test_one_good_signature_of_several_is_enough(doors: Doors, beside: str) -> None:
    content = orjson.dumps(contract())
    headers = signature(content)
    good = headers["webhook-signature"]
    other = signature(content, OTHER_SECRET)["webhook-signature"]
    for signatures in (f"{beside} {good}", f"{good} {beside}"):
        headers["webhook-signature"] = signatures.format(other=other)
        assert (await doors.forwarder(content, headers=headers)).status_code == 200


CONTENT = orjson.dumps(contract())
BAD_SIGNATURES = ("", ",", "v1", "v1,", "v1,%%%", "v1,é", "v1,a,b", "v2,AAAA", " ", "v1,AAA")
BAD_TIMES = ("", "now", "nan", "inf", "-1", "1e400", "9" * 400, "0", "²")


def wrong_headers() -> Iterator[dict[str, str]]:
    good = signature(CONTENT)
    yield {}
    yield signature(CONTENT, OTHER_SECRET)
    yield signature(CONTENT, age=timedelta(minutes=6))
    yield signature(CONTENT, age=timedelta(minutes=-6))
    yield signature(CONTENT + b" ")
    yield good | {"webhook-id": "msg_2"}
    yield from ({k: v for k, v in good.items() if k != missing} for missing in good)
    yield from (good | {"webhook-signature": bad} for bad in BAD_SIGNATURES)
    yield from (good | {"webhook-timestamp": bad} for bad in BAD_TIMES)


async def test_a_bad_signature_is_401(db: Database, doors: Doors) -> None:
    for headers in wrong_headers():
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = await doors.forwarder(CONTENT, headers=raw)  # type: ignore[arg-type]
        assert answer.status_code == 401, headers
        assert answer.json()["error"] == "BadSignature"
    assert await deliveries(db) == {}


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whsec_é", "a"])
async def test_a_secret_that_is_none_opens_nothing(db: Database, secret: str) -> None:
    async with doors_of(db, DoorKeys({}, (secret,))) as doors:
        assert (await doors.forwarder(CONTENT, headers=signature(CONTENT))).status_code == 401
    async with doors_of(db, DoorKeys({}, (secret, SECRET))) as doors:
        assert (await doors.forwarder(CONTENT, headers=signature(CONTENT))).status_code == 200
    async with doors_of(db, DoorKeys()) as doors:
        assert (await doors.forwarder(CONTENT, headers=signature(CONTENT))).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ([], "not a JSON object"),
        (contract(schema="inbound_message.v2"), "schema is not inbound_message.v1"),
        (contract(chat=None), "chat is missing"),
        (contract(occurred_at="yesterday"), "occurred_at is not a moment"),
        (contract(message={"id": "x"}), "message.id is not a whole number"),
        ({}, "is missing"),
    ],
)
async def test_a_signed_body_of_another_shape_is_422(doors: Doors, wrong: Any, reason: str) -> None:
    answer = await doors.forwarder(wrong)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


async def test_every_shape_that_forwarders_post_is_accepted(db: Database, doors: Doors) -> None:
    flat = {"chat_id": 7, "message_id": 8, "date": 1_763_800_000, "text": "нужен кредит"}
    nested = {
        "source": {"channel_id": 77, "channel_name": "Новости", "message_id": 9},
        "message": {"text": "нужен кредит", "author": "Анна"},
        "timestamp": "2026-11-22T09:00:00Z",
    }
    for body in (contract(), update(), flat, nested):
        answer = await doors.forwarder(body)
        assert (answer.status_code, answer.json()["result"]) == (200, "accepted"), answer.text
    assert {row["source"] for row in (await deliveries(db)).values()} == {"forwarder"}


async def test_nul_and_half_pairs_are_stored_without_them(db: Database, doors: Doors) -> None:
    hard = update("до\x00 после")
    assert (await doors.telegram(hard)).status_code == 200
    (row,) = (await deliveries(db)).values()
    assert row["message"]["message"]["text"] == "до после"
    assert "\x00" not in row["raw"]


async def test_a_door_may_be_rekeyed_while_it_is_open(db: Database) -> None:
    keys = DoorKeys({"main": BOT_SECRET})
    async with doors_of(db, keys) as doors:
        assert (await doors.telegram(update(), bot="second")).status_code == 404
        keys.bots = {"main": "new", "second": BOT_SECRET}
        assert (await doors.telegram(update(), bot="second")).status_code == 200
        assert (await doors.telegram(update())).status_code == 401
    assert replace(keys).bots == keys.bots
