"""Scores on their way into the stand-in portal, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix import Bitrix, NotFound
from lib.clients.bitrix_scores import BitrixScores, ScoreFields
from lib.domain.score_news import UNKNOWN, Untold
from lib.domain.scoring import Reason
from lib.errors import AnswerLost, Denied
from tests.clients.books import CODE, LEAD, comments

FIELDS = ScoreFields("UF_CRM_POTOK_SCORE", "UF_CRM_POTOK_BAND")
HOT = Untold(7, 0, 80, "hot", (Reason(15, "оставил телефон"), Reason(-3, "[b]не боту[/b]")), None)


@pytest.fixture(scope="module")
async def crm(base_url: str) -> AsyncIterator[BitrixScores]:
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=10) as bitrix:
        yield BitrixScores(bitrix, FIELDS)


@pytest.fixture
def hot(portal: Portal) -> Untold:
    return replace(HOT, crm_id=portal.add(LEAD, {}, [])["id"])


def notes(portal: Portal, hot: Untold) -> list[str]:
    found = portal.comments.get((LEAD, hot.crm_id), [])
    return [note["COMMENT"] for note in found]


async def test_a_band_is_told_with_its_reasons(
    crm: BitrixScores, portal: Portal, hot: Untold
) -> None:
    assert await crm.tell([hot]) == {7: None}
    [note] = notes(portal, hot)
    assert note.splitlines() == [
        "Оценка лида: 80 из 100, горячий",
        "+15 оставил телефон",
        "-3 ［b］не боту［/b］",
        "[score:hot]",
    ]


async def test_the_same_band_again_is_no_news(
    crm: BitrixScores, portal: Portal, hot: Untold
) -> None:
    assert await crm.tell([replace(hot, crm_band="hot", score=81)]) == {7: None}
    assert comments(portal, hot.crm_id) == []


@pytest.mark.parametrize("before", ["warm", None])
async def test_after_a_lost_answer_the_timeline_is_looked_at(
    crm: BitrixScores, portal: Portal, hot: Untold, before: str | None
) -> None:
    portal.failures.add({"kind": "lose_answer", "times": 1})
    with pytest.raises(AnswerLost):
        await crm.tell([replace(hot, crm_band=before)])
    assert await crm.tell([replace(hot, crm_band=UNKNOWN)]) == {7: None}
    assert len(notes(portal, hot)) == 1


@pytest.mark.parametrize("band", ["hot", "cold"])
async def test_after_a_request_that_was_never_done_it_is_told(
    crm: BitrixScores, portal: Portal, hot: Untold, band: str
) -> None:
    assert await crm.tell([replace(hot, crm_band=f"{UNKNOWN}warm", band=band)]) == {7: None}
    [note] = notes(portal, hot)
    assert f"[score:{band}]" in note


async def test_a_lead_that_is_gone_fails_alone(
    crm: BitrixScores, portal: Portal, hot: Untold
) -> None:
    gone = replace(hot, lead_id=8, crm_id=99_999)
    found = await crm.tell([gone, hot, replace(gone, lead_id=9, crm_band=UNKNOWN)])
    assert found[7] is None
    assert isinstance(found[8], NotFound)
    assert found[9] is not None
    assert len(notes(portal, hot)) == 1


async def test_a_missing_right_is_named(crm: BitrixScores, portal: Portal, hot: Untold) -> None:
    methods = ["crm.timeline.comment.add"]
    portal.failures.add({"kind": "insufficient_scope", "methods": methods})
    found = await crm.tell([hot])
    assert isinstance(found[7], Denied)
    assert "insufficient_scope" in str(found[7])
