from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from deployments.cli.running import find_running
from deployments.cli.store import on_screen
from deployments.stack import pidfiles
from lib.domain.inquiry import rules_inquiry
from lib.domain.telegram import message_from_update
from lib.gateway.hooks import delivery_from
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.events import LEADS
from lib.store.inbox import Inbox
from lib.store.leads import Leads, ReadMessage
from lib.store.settlements import Settlement
from tests.stack.conftest import Potok
from tests.support import free_port

TEXT = "Меня зовут Анна Петрова, нужен кредит 5 млн, 8 (916) 123-45-67 [bold]\x1b[31m"


@dataclass(frozen=True)
class Filled:
    """A database with one lead (of delivery 1), a dead delivery and one that waits."""

    dsn: str
    run_id: UUID
    lead: str
    dead: str
    waits: str


@pytest.fixture
async def filled(database: str) -> AsyncIterator[Filled]:
    db = Database(database, pool_size=1)
    async with db.transaction() as connection:
        await connection.exec_driver_sql(
            "truncate deliveries, batches, leads, lead_messages restart identity cascade"
        )
    keys = [await _arrive(db, number, TEXT if number == 1 else "привет") for number in (1, 2)]
    run_id = await _work(db)
    keys.append(await _arrive(db, 3, "ещё"))
    yield Filled(database, run_id, *keys)
    await db.close()


async def _arrive(db: Database, number: int, text: str) -> str:
    chat = {"id": 700 + number, "type": "private", "first_name": "Анна"}
    sender = chat | {"is_bot": False}
    message = {"message_id": number, "date": 1_795_000_000, "chat": chat, "from": sender}
    update = {"update_id": number, "message": message | {"text": text}}
    read = message_from_update("main", update)
    assert read is not None
    assert await Inbox(db).accept(delivery_from(read, json.dumps(update).encode()))
    return read.event_id


async def _work(db: Database) -> UUID:
    """Do what a flow run would: the first becomes a lead, the second is given up."""
    batches, run_id = Batches(db), uuid4()
    claim = await Claims(db).claim(LEADS, limit=10, max_open=1)
    assert claim is not None
    batch_id = claim.batch_id
    await batches.attach(batch_id, run_id)
    first, second = await batches.take(batch_id)
    message = message_from_update("main", json.loads((await _show(db, first.key)) or "{}"))
    assert message is not None
    await Leads(db).grow([ReadMessage(first.id, message, rules_inquiry(message))])
    done = Settlement(first.id, {"result": "lead", "lead_id": 1, "crm_id": None, "ms": {"read": 7}})
    dead = Settlement(second.id, error="Rejected: a reason", retry=False)
    await batches.settle(batch_id, [done, dead], jitter=0)
    return run_id


async def _show(db: Database, key: str) -> str | None:
    view = await Inbox(db).show(key)
    return view.raw if view else None


async def test_the_inbox_is_listed(potok: Potok, filled: Filled) -> None:
    code, said, wrong = await potok("inbox", "list", DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    head, *lines = said.splitlines()
    assert head.split()[:3] == ["id", "received", "state"]
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert "Rejected: a reason" in lines[1]
    assert lines[2].rstrip().endswith("lead 1")

    code, said, _ = await potok(
        "inbox", "list", "--json", "--state", "dead", "--limit", "1", DATABASE_URL=filled.dsn
    )
    [row] = json.loads(said)
    assert (code, row["key"], row["attempts"]) == (0, filled.dead, 1)
    assert row["flow_run_id"] == str(filled.run_id)


async def test_a_delivery_is_shown_by_key_and_by_number(potok: Potok, filled: Filled) -> None:
    code, said, wrong = await potok("inbox", "show", filled.lead, DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    assert f"/runs/flow-run/{filled.run_id}" in said
    assert "read 7 ms" in said
    assert '"update_id": 1' in said
    assert "Анна Петрова" in said
    code, said, _ = await potok("inbox", "show", "2", DATABASE_URL=filled.dsn)
    assert code == 0
    assert "Rejected: a reason" in said
    assert "failed tries  1" in said


async def test_the_dead_come_back_by_name_or_all(potok: Potok, filled: Filled) -> None:
    code, said, _ = await potok("inbox", "retry", filled.dead, DATABASE_URL=filled.dsn)
    assert (code, said) == (0, "1 came back; `potok inbox list`\n")
    code, said, _ = await potok("inbox", "retry", "--all-dead", DATABASE_URL=filled.dsn)
    assert (code, said) == (0, "nothing is dead\n")
    code, said, _ = await potok(
        "inbox", "list", "--json", "--state", "received", DATABASE_URL=filled.dsn
    )
    assert {row["key"] for row in json.loads(said)} == {filled.dead, filled.waits}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("inbox show telegram:main:99", "no delivery has the key or number telegram:main:99"),
        ("inbox show 99999999999999999999", "no delivery has the key or number 99999999999999"),
        (f"inbox show {'1' * 5000}", f"no delivery has the key or number {'1' * 80}…"),
        ("inbox show \udcff\udcfe", "no delivery has the key or number \ufffd\ufffd"),
        ("inbox show ²", "no delivery has the key or number ²"),
        ("inbox list --state ded", "there is no state 'ded': it is one of received, claimed"),
        ("inbox retry", "name the deliveries, or give --all-dead"),
        ("inbox retry 2 --all-dead", "name the deliveries, or give --all-dead"),
        ("inbox retry 2 77", "no delivery has the key or number 77"),
        ("inbox retry 2 3", "only the dead come back: telegram:main:3 is received"),
        ("leads show 99", "there is no lead 99: `potok leads list`"),
        (f"leads show {'1' * 5000}", f"'{'1' * 40}…' is no lead: a number is meant"),
        ("leads show anna", "'anna' is no lead: a number is meant"),
    ],
)
async def test_what_is_wrong_is_one_line_and_changes_nothing(
    potok: Potok, filled: Filled, words: str, line: str
) -> None:
    code, said, wrong = await potok(*words.split(), DATABASE_URL=filled.dsn)
    assert (code, said) == (1, "")
    assert wrong.startswith(line)
    assert wrong.count("\n") == 1
    _, said, _ = await potok("inbox", "list", "--json", "--state", "dead", DATABASE_URL=filled.dsn)
    assert len(json.loads(said)) == 1


async def test_leads_are_listed_and_shown(potok: Potok, filled: Filled) -> None:
    code, said, wrong = await potok("leads", "list", DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    assert "Анна Петрова" in said
    assert "5 000 000 ₽" in said.replace("\u00a0", " ")
    code, said, _ = await potok("leads", "list", "--json", DATABASE_URL=filled.dsn)
    [lead] = json.loads(said)
    assert (lead["id"], lead["phone"], lead["amount"]) == (1, "+79161234567", 5_000_000)

    code, said, wrong = await potok("leads", "show", "1", DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    assert "+79161234567" in said
    assert "not there yet" in said
    assert f"/runs/flow-run/{filled.run_id}" in said
    assert "[bold]" in said, "a stranger's words are not markup"
    assert "\x1b" not in said


@pytest.mark.parametrize("words", ["inbox list", "inbox show 1", "leads list", "leads show 1"])
async def test_a_database_that_is_down_is_one_line(potok: Potok, words: str) -> None:
    code, said, wrong = await potok(*words.split())
    assert (code, said) == (1, "")
    assert wrong == "there is no database yet: run `potok up` first\n"
    down = f"postgresql://potok:hidden@127.0.0.1:{free_port()}/potok"
    code, said, wrong = await potok(*words.split(), DATABASE_URL=down)
    assert (code, said) == (1, "")
    assert wrong == "the database does not answer: check DATABASE_URL\n"


async def test_a_database_without_tables_is_one_line(potok: Potok, postgres_dsn: str) -> None:
    code, _, wrong = await potok("leads", "list", DATABASE_URL=postgres_dsn)
    assert (code, wrong) == (1, "the database has no tables yet: `potok up` makes them\n")


def test_a_running_stack_is_found_with_its_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POTOK_HOME", str(tmp_path))
    monkeypatch.setenv("BITRIX24_WEBHOOK_URL", "https://portal/rest/1/hidden/")
    assert find_running().pid is None
    run_dir = pidfiles.run_dir(tmp_path)
    lock = pidfiles.HomeLock(run_dir)
    assert lock.take()
    assert not find_running().is_ready
    own = pidfiles.this_process(pidfiles.STACK, "", ready_at=1.0)
    for name, port in ((pidfiles.STACK, None), ("sandbox", 7001), ("gateway", 7002)):
        pidfiles.write(run_dir, pidfiles.Entry(name, own.pid, own.created_at, "", 0, 15, port, 1.0))
    found = find_running()
    assert (found.pid, found.is_ready, found.has_sandbox) == (os.getpid(), True, True)
    assert found.settings.is_sandbox
    assert found.settings.gateway_url == "http://127.0.0.1:7002"
    assert found.settings.sandbox_url == "http://127.0.0.1:7001"
    lock.release()


def test_what_would_move_the_cursor_is_not_shown() -> None:
    assert on_screen("a\x1b[2J\x9bb\u202ec\nд\u00a05") == "a\ufffd[2J\ufffdb\ufffdc\nд\u00a05"
