"""Every lead's calls are counted: incoming, outgoing, missed, how long, the last.

Trigger  schedule, every 10 minutes; the end of a call in Bitrix24, by way of the inbox
In       nothing, or a batch of events that name calls to count and leads to tell the CRM of
Out      calls, and the leads' counts, in PostgreSQL and Bitrix24; a table as an artifact
Pool     live
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from prefect import flow

from blocks._events import events_of
from blocks._load import load
from blocks.alerts import tell_denied
from blocks.bitrix import BitrixPortal
from blocks.calls import CallsReport, count_calls, publish_calls, tell_calls
from blocks.storage import Store


@flow(name="calls", timeout_seconds=3600)
async def calls(
    batch_id: UUID | None = None, since: datetime | None = None, portal: str = "main"
) -> CallsReport:
    """Count what is new; the leads that have changed come back as events, and the CRM is told."""
    store, crm = await load(Store, "main"), await load(BitrixPortal, portal)
    report = CallsReport()
    async with events_of(store, batch_id) as events:
        if batch_id is None or events.named("call_id"):
            report = await count_calls(crm, events.database, since)
        if leads := events.named("lead_id"):
            report = await tell_calls(crm, events.database, leads, report)
        for lead_id, error in report.refused.items():
            events.fail("lead_id", [lead_id], error)
    await tell_denied([*report.denied, *report.refused.values()])
    await publish_calls(report)
    report.check()
    return report
