"""Our leads and the CRM's are kept equal, whatever event or answer was lost.

Trigger  schedule, every 15 minutes; Bitrix24's events of leads and comments, by way of the inbox
In       nothing: all that may differ; or a batch of events, by id: the leads that they name
Out      leads mended on either side, a table of the differences as an artifact
Pool     live
"""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from blocks._events import events_of
from blocks._load import load
from blocks.bitrix import BitrixPortal
from blocks.reconcile import UpkeepReport, look_at_crm, mend, publish_differences
from blocks.storage import Store


@flow(name="upkeep", timeout_seconds=600)
async def upkeep(batch_id: UUID | None = None, portal: str = "main") -> UpkeepReport:
    """Mend what differs between here and the CRM."""
    store, crm = await load(Store, "main"), await load(BitrixPortal, portal)
    async with events_of(store, batch_id) as events:
        sight = await look_at_crm(crm, events)
        report = await mend(events, sight)
    await publish_differences(report)
    report.check()
    return report
