"""Every lead gets a score, and the CRM its reasons.

Trigger  a lead that changed, by way of the inbox; every night, all open leads
In       a batch of events that name leads; without one, every open lead
Out      a score from 0 to 100 with reasons in PostgreSQL and Bitrix24; a table as an artifact
Pool     live
"""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from blocks._events import events_of
from blocks._load import load
from blocks.alerts import tell_denied
from blocks.bitrix import BitrixPortal
from blocks.scoring import ScoringReport, publish_scores, score_leads, tell_scores
from blocks.storage import Store


@flow(name="scoring", timeout_seconds=3600)
async def scoring(batch_id: UUID | None = None, portal: str = "main") -> ScoringReport:
    """Score the leads of a batch of events, or all that are open; the rules are scoring.yaml."""
    store, crm = await load(Store, "main"), await load(BitrixPortal, portal)
    async with events_of(store, batch_id) as events:
        leads = events.named("lead_id") if batch_id else None
        report = await score_leads(events.database, leads)
        await tell_scores(crm, events.database, leads, report)
        for lead_id, error in report.refused.items():
            events.fail("lead_id", [lead_id], error)
    await tell_denied(report.refused.values())
    await publish_scores(events.database, leads, report)
    return report
