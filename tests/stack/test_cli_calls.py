"""``potok calls`` over a database with a lead and its calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lib.domain.calls import Call
from lib.store.calls import Calls
from lib.store.engine import Database
from lib.store.leads import Leads
from tests.domain.making import T0
from tests.stack.conftest import Potok
from tests.store.making import read, run_sql


@pytest.fixture
async def called(database: str) -> AsyncIterator[str]:
    """A database with the lead 1, who was called twice, and the lead 2, who was not."""
    db = Database(database, pool_size=1)
    await run_sql(db, "truncate deliveries, leads, lead_messages restart identity cascade")
    leads = Leads(db)
    await leads.grow([read(1, "нужен кредит", chat=1, sender=1)])
    await leads.grow([read(2, "нужен кредит", chat=2, sender=2)])
    await run_sql(db, "update leads set crm_id = id + 70")
    call = Call(5, "in", "answered", 100, T0, crm_ids=(71,), phone="+79161234567\x1b[2J")
    await Calls(db).save([call, replace(call, id=6, direction="out", outcome="failed", seconds=0)])
    yield database
    await db.close()


async def test_the_calls_of_a_lead_are_shown(potok: Potok, called: str) -> None:
    code, said, wrong = await potok("calls", "show", "1", DATABASE_URL=called)
    assert (code, wrong) == (0, "")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in ("incoming 1", "outgoing 1", "missed 0", "seconds 100"):
        assert line in lines
    assert any("in answered" in line and line.endswith("100 5") for line in lines)
    assert "\x1b" not in said
    code, said, _ = await potok("calls", "show", "2", DATABASE_URL=called)
    assert (code, "incoming 0" in " ".join(said.split())) == (0, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "99"), "there is no lead 99"),
        (("show", "x"), "'x' is no lead"),
        (("recount", "--since", "вчера"), "'вчера' is no date"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    potok: Potok, called: str, words: tuple[str, ...], told: str
) -> None:
    code, _, wrong = await potok("calls", *words, DATABASE_URL=called)
    assert code == 1
    assert told in wrong
    assert len(wrong.strip().splitlines()) == 1
