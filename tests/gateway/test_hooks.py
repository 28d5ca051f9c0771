from __future__ import annotations

import ast
import asyncio
import inspect
import textwrap
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import orjson
import pytest

from lib.gateway import body as body_module
from lib.gateway.body import MAX_BODY_BYTES
from lib.gateway.hooks import DoorKeys
from lib.store.engine import Database
from tests.domain.making import update
from tests.gateway.doors import (
    BOT_SECRET,
    SECRET,
    Doors,
    contract,
    doors_of,
)
from tests.store.making import deliveries, run_sql
from tests.support import free_port


async def test_an_update_is_committed_once_and_wakes_once(db: Database, doors: Doors) -> None:
    first = await doors.telegram(update())
    assert (first.status_code, first.json()) == (200, {"ok": True, "result": "accepted"})
    again = await doors.telegram(update("changed"))
    assert (again.status_code, again.json()["result"]) == (200, "duplicate")
    (row,) = (await deliveries(db)).values()
    assert (row["key"], row["lane"], row["person"]) == (
        "telegram:main:10",
        "telegram:7",
        "telegram:7",
    )
    assert (row["deployment"], row["state"], row["source"]) == (
        "leads/main",
        "received",
        "telegram",
    )
    assert orjson.loads(row["raw"]) == update()
    assert row["message"]["message"]["text"] == "Здравствуйте"


async def test_fifty_copies_at_once_are_accepted_once(db: Database, doors: Doors) -> None:
    answers = await asyncio.gather(*(doors.telegram(update()) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    results = [answer.json()["result"] for answer in answers]
    assert (results.count("accepted"), results.count("duplicate")) == (1, 49)


@pytest.mark.parametrize("secret", [None, "", "wrong", BOT_SECRET + "x", BOT_SECRET[:-1], "ключ"])
async def test_a_wrong_secret_is_401_and_nothing_is_read(
    db: Database, doors: Doors, secret: str | None
) -> None:
    headers = {}
    if secret == "ключ":
        secret, headers = None, {"x-telegram-bot-api-secret-token": "ключ".encode()}
    answer = await doors.telegram(update(), secret=secret, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]) == (401, "BadSignature")
    assert BOT_SECRET not in answer.text
    assert await deliveries(db) == {}


async def test_a_bot_without_a_secret_takes_nothing(db: Database) -> None:
    async with doors_of(db, DoorKeys({"main": ""})) as doors:
        assert (await doors.telegram(update(), secret="")).status_code == 401
        assert (await doors.telegram(update(), secret=None)).status_code == 401


@pytest.mark.parametrize("bot", ["other", "Main", "%D0%B1%D0%BE%D1%82", "%00", "%ff", "x" * 2000])
async def test_an_unknown_bot_is_404(doors: Doors, bot: str) -> None:
    answer = await doors.telegram(update(), bot=bot)
    assert (answer.status_code, answer.json()["error"]) == (404, "UnknownDoor")


def test_secrets_are_compared_in_constant_time() -> None:
    source = textwrap.dedent(inspect.getsource(DoorKeys.check_bot))
    compared = {
        ast.unparse(name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        for name in [node.left, *node.comparators]
    }
    assert not compared
    assert "hmac.compare_digest(" in source


def test_secrets_are_in_no_repr() -> None:
    keys = DoorKeys({"main": BOT_SECRET}, (SECRET,))
    assert BOT_SECRET not in repr(keys)
    assert SECRET not in repr(keys)


LARGE = orjson.dumps(update("x" * (MAX_BODY_BYTES + 1)))


async def test_a_body_above_the_limit_is_413(db: Database, doors: Doors) -> None:
    said = await doors.telegram(LARGE)
    assert (said.status_code, said.json()["error"]) == (413, "TooLarge")
    signed = await doors.forwarder(LARGE)
    assert signed.status_code == 413
    assert await deliveries(db) == {}


async def test_a_body_that_does_not_say_its_length_is_stopped_at_the_limit(
    doors: Doors,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 10_000

    answer = await doors.telegram(endless())
    assert answer.status_code == 413
    assert sent <= MAX_BODY_BYTES // 10_000 + 2


async def test_a_body_of_just_the_limit_is_read(doors: Doors) -> None:
    bare = len(orjson.dumps(update("")))
    whole = update("x" * (MAX_BODY_BYTES - bare))
    assert len(orjson.dumps(whole)) == MAX_BODY_BYTES
    assert (await doors.telegram(whole)).status_code == 200


@pytest.mark.parametrize("length", ["-1", "²", "1e9", "abc", "9" * 5000, "0x10", ""])
async def test_a_strange_content_length_is_no_500(doors: Doors, length: str) -> None:
    headers = {"content-length": length.encode("latin-1")}
    answer = await doors.telegram(update(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == (413 if length.startswith("9") else 200)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"update_id": NaN}', "not JSON"),
        (b'{"text": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{}", "update_id is missing"),
        (b'{"update_id": "x"}', "update_id is not a whole number"),
        (b'{"update_id": 1, "message": {}}', "update.message.chat is missing"),
        (b'{"update_id": 1, "message": {"chat": {"id": 1}}}', "update.message.date is missing"),
    ],
)
async def test_what_is_no_update_is_422_with_the_reason(
    db: Database, doors: Doors, raw: bytes, reason: str
) -> None:
    answer = await doors.telegram(raw)
    assert (answer.status_code, answer.json()["ok"]) == (422, False)
    assert reason in answer.json()["detail"]
    assert await deliveries(db) == {}


@pytest.mark.parametrize(
    "ignored",
    [
        {"update_id": 1},
        {"update_id": 2, "callback_query": {"id": "1"}},
        {"update_id": 3, "poll": {}},
        {"update_id": 4, "my_chat_member": {}},
        {k: v for k, v in update("").items() if k != "text"},
    ],
)
async def test_what_is_not_read_is_200(db: Database, doors: Doors, ignored: dict[str, Any]) -> None:
    answer = await doors.telegram(ignored)
    assert (answer.status_code, answer.json()["result"]) == (200, "ignored")
    assert await deliveries(db) == {}


async def test_a_body_that_trickles_is_408(
    db: Database, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_module, "BODY_TIMEOUT_S", 0.05)

    async def trickling() -> AsyncIterator[bytes]:
        yield b'{"update_id":'
        await asyncio.Event().wait()

    answer = await doors.telegram(trickling())
    assert (answer.status_code, answer.json()["error"]) == (408, "TooSlow")
    assert await deliveries(db) == {}


async def test_a_caller_that_hangs_up_leaves_nothing(db: Database, doors: Doors) -> None:
    sent: list[MutableMapping[str, Any]] = []
    arriving: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": b'{"update_id":', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hooks/telegram/main",
        "raw_path": b"/hooks/telegram/main",
        "query_string": b"",
        "headers": [(b"x-telegram-bot-api-secret-token", BOT_SECRET.encode())],
    }

    async def receive() -> dict[str, Any]:
        return next(arriving)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await doors.app(scope, receive, send)
    assert sent[0]["status"] == 422
    assert await deliveries(db) == {}


async def test_a_database_that_is_away_is_503_and_come_again(db: Database) -> None:
    nowhere = Database(f"postgresql://potok:secret@127.0.0.1:{free_port()}/potok")
    async with doors_of(nowhere) as doors:
        for answer in (await doors.telegram(update()), await doors.forwarder(contract())):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"] == "Unavailable"
            assert "secret" not in answer.text
        assert (await doors.telegram(b"{")).status_code == 422  # that can be told without it
    await nowhere.close()


async def test_what_the_database_refuses_is_503_without_the_row(db: Database, doors: Doors) -> None:
    await run_sql(db, "alter table deliveries add constraint hard check (lane <> 'telegram:7')")
    try:
        answer = await doors.telegram(update())
    finally:
        await run_sql(db, "alter table deliveries drop constraint hard")
    assert (answer.status_code, answer.json()["error"]) == (503, "StatementFailed")
    assert "CheckViolation" in answer.json()["detail"]
    assert "Анна" not in answer.text
    assert (await doors.telegram(update())).json()["result"] == "accepted"
