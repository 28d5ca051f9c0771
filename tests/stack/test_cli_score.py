"""``potok score`` over a database with a few leads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from blocks.scoring import score_leads
from lib.rules import SCORING
from lib.store.engine import Database
from lib.store.leads import Leads
from tests.stack.conftest import Potok
from tests.store.making import read

HOT = "Срочно нужна ипотека 7 млн, +7 916 123-45-67"
PNG = b"\x89PNG\r\n"


@pytest.fixture
async def scored(database: str) -> AsyncIterator[str]:
    """A database with a hot lead, 1, a cold one, 2, and one that has no score yet, 3."""
    db = Database(database, pool_size=1)
    async with db.transaction() as connection:
        await connection.exec_driver_sql("truncate leads, lead_messages restart identity cascade")
    leads = Leads(db)
    await leads.grow([read(1, HOT, chat=1, sender=1)])
    await leads.grow([read(2, "нужна консультация", chat=2, sender=2)])
    await score_leads.fn(db, None)
    await leads.grow([read(3, "нужен кредит", chat=3, sender=3)])
    yield database
    await db.close()


async def test_a_score_is_explained(potok: Potok, scored: str) -> None:
    code, said, wrong = await potok("score", "explain", "1", DATABASE_URL=scored)
    assert (code, wrong) == (0, "")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "+15 назвал сумму 7 000 000 ₽" in lines
    assert "+10 every lead" in lines
    points = [int(line.split()[0]) for line in lines if line.startswith(("+", "-"))]
    [score] = [int(line.split()[1]) for line in lines if line.startswith("score ")]
    assert sum(points) == score


@pytest.mark.parametrize(
    ("lead", "told"),
    [("3", "lead 3 has no score"), ("99", "no score"), ("x", "'x' is no lead")],
)
async def test_what_cannot_be_explained(potok: Potok, scored: str, lead: str, told: str) -> None:
    code, _, wrong = await potok("score", "explain", lead, DATABASE_URL=scored)
    assert code == 1
    assert told in wrong


async def test_other_rules_are_tried_and_change_nothing(
    potok: Potok, scored: str, tmp_path: Path
) -> None:
    tried, picture = tmp_path / "new.yaml", tmp_path / "scores.png"
    tried.write_text(SCORING.read_text().replace("start: 10", "start: 60"))
    words = ("score", "replay", "--rules", str(tried), "--picture", str(picture))
    code, said, wrong = await potok(*words, DATABASE_URL=scored)
    assert (code, wrong) == (0, "")
    assert "2 of 3 leads would change band (67 %)" in said
    assert "lead 2: cold → " in said
    assert picture.read_bytes().startswith(PNG)
    assert (await potok("score", "explain", "3", DATABASE_URL=scored))[0] == 1  # not written


async def test_the_rules_of_now_move_nobody(potok: Potok, scored: str, tmp_path: Path) -> None:
    words = ("score", "replay", "--rules", str(SCORING), "--picture", str(tmp_path / "a.png"))
    _, said, _ = await potok(*words, DATABASE_URL=scored)
    assert "0 of 3 leads would change band (0 %)" in said


async def test_nonsense_is_told_by_line(potok: Potok, scored: str, tmp_path: Path) -> None:
    tried = tmp_path / "new.yaml"
    tried.write_text(SCORING.read_text().replace("has_phone", "has_fone"))
    code, _, wrong = await potok("score", "replay", "--rules", str(tried), DATABASE_URL=scored)
    assert code == 1
    assert "rules.1: there is no feature 'has_fone': is has_phone meant?" in wrong
    code, _, wrong = await potok("score", "replay", "--rules", "/none", DATABASE_URL=scored)
    assert (code, wrong) == (1, "/none cannot be read: FileNotFoundError\n")
