"""Scoring as tasks: count every lead's points, tell the CRM, leave a table for people."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect.artifacts import acreate_table_artifact

from blocks._retry import retried
from blocks.bitrix import BitrixPortal
from lib.clients.bitrix import NotFound
from lib.clients.bitrix_scores import A_REQUEST, BitrixScores
from lib.domain.score_news import Untold, is_news
from lib.domain.scoring import BANDS, score_of
from lib.domain.scoring_features import LeadFacts, features_of
from lib.errors import PotokError
from lib.rules import scoring_rules
from lib.store.engine import Database
from lib.store.scores import Scores

log = logging.getLogger(__name__)

SHOWN = 200  # rows of the table that a run leaves


@dataclass(slots=True)
class ScoringReport:
    """A scoring in figures.

    Attributes:
        leads: how many were scored.
        bands: how many are in each.
        told: scores that the CRM has got.
        problems: leads that the CRM did not take, by the name of the error.
        refused: the errors themselves, by lead; not of those that are gone there.
    """

    leads: int = 0
    bands: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BANDS, 0))
    told: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    refused: dict[int, PotokError] = field(default_factory=dict)


@retried
async def score_leads(database: Database, lead_ids: Collection[int] | None) -> ScoringReport:
    """Score these leads, or all open ones, and keep what was found."""
    rules, scores, report = scoring_rules(), Scores(database), ScoringReport()
    async for page in _pages(scores, lead_ids):
        now = datetime.now(UTC)
        found = {}
        for facts in page:
            features = features_of(facts, now)
            found[facts.lead_id] = features, score_of(features, rules)
        await scores.save(found, rules.version)
        report.leads += len(found)
        for _, scored in found.values():
            report.bands[scored.band] += 1
    log.info("leads.scored count=%d rules=%s", report.leads, rules.version)
    return report


@retried
async def tell_scores(
    portal: BitrixPortal,
    database: Database,
    lead_ids: Collection[int] | None,
    report: ScoringReport,
) -> ScoringReport:
    """Write into the CRM what it does not have yet; a lead that it refuses fails alone.

    Safe to repeat: after a lost answer the timeline is looked at before it is written again.
    """
    scores, after = Scores(database), 0
    while True:
        async with scores.alone():
            untold = await scores.untold(lead_ids, after, A_REQUEST)
            if not untold:
                return report
            await _tell(portal.scores(), scores, untold, report)
        after = untold[-1].lead_id


async def publish_scores(
    database: Database, lead_ids: Collection[int] | None, report: ScoringReport
) -> None:
    """Leave a table: of a few leads each, of many how many are in each band.

    Reasons hold what a person wants: `potok score explain` and the CRM show them.
    """
    rows: Sequence[dict[str, object]]
    if lead_ids is not None and len(lead_ids) <= SHOWN:
        shown = [(lead_id, await Scores(database).show(lead_id)) for lead_id in lead_ids]
        rows = [
            {"lead": lead_id, "score": found[0].score, "band": found[0].band}
            for lead_id, found in shown
            if found
        ]
    else:
        rows = [{"band": band, "leads": count} for band, count in report.bands.items()]
    if rows:
        await acreate_table_artifact(list(rows), key="scores", description="Scores of this run")


async def _tell(
    crm: BitrixScores, scores: Scores, untold: Sequence[Untold], report: ScoringReport
) -> None:
    """Tell these; of a lead that is gone there ``upkeep`` takes note."""
    news = [e.lead_id for e in untold if not e.is_in_doubt and is_news(e.band_before, e.band)]
    if news:
        await scores.telling(news)
    errors = await crm.tell(untold)
    done = [each for each in untold if errors[each.lead_id] is None]
    await scores.told(done)
    report.told += len(done)
    for lead_id, error in errors.items():
        if error is not None:
            name = type(error).__name__
            report.problems[name] += 1
            log.warning("score.not_told lead_id=%d kind=%s reason=%s", lead_id, name, error)
            if not isinstance(error, NotFound):
                report.refused[lead_id] = error


async def _pages(
    scores: Scores, lead_ids: Collection[int] | None
) -> AsyncIterator[list[LeadFacts]]:
    if lead_ids is not None:
        yield await scores.facts(lead_ids)
        return
    async for page in scores.all_facts(only_open=True):
        yield page
