"""What a run leaves behind for people: a table of its messages, and tags to find it by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from prefect import get_client
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

from blocks._batch import LeadBatch, error_text
from lib.errors import Unavailable

WHY_LIMIT = 200
TAGS = 40  # a run of a thousand messages is found by its artifact


@dataclass(frozen=True, slots=True)
class LeadReport:
    """A run in figures: messages by outcome."""

    batch_id: UUID
    messages: int
    outcomes: dict[str, int]

    def check(self) -> None:
        """Raise Unavailable when not one of the messages came through."""
        again = self.outcomes.get("failed", 0) + self.outcomes.get("held back", 0)
        dead = self.outcomes.get("dead", 0)
        if self.messages == again + dead > 0:
            what = f"{again} will be tried again, {dead} are dead letters (potok inbox list)"
            raise Unavailable(f"no message came through: {what}")


async def publish(batch: LeadBatch) -> LeadReport:
    """Leave the batch's table as an artifact, and ``lead:<id>`` tags on the run."""
    outcomes = batch.outcomes()
    rows = [
        {
            "message": item.key,
            "outcome": outcomes[item.delivery_id],
            "why": error_text(item.error)[:WHY_LIMIT] if item.error else "",
            "lead": item.lead.id if item.lead else "",
            "crm": (item.lead.crm_id or "") if item.lead else "",
            **{f"{stage} ms": ms for stage, ms in item.ms.items()},
        }
        for item in batch.items
    ]
    if rows:
        await acreate_table_artifact(rows, key="leads-batch", description="Messages of this run")
    leads = sorted({item.lead.id for item in batch.items if item.lead and item.lead.id})
    if leads and flow_run.id:
        tags = dict.fromkeys([*flow_run.tags, *(f"lead:{lead_id}" for lead_id in leads[:TAGS])])
        async with get_client() as client:
            await client.update_flow_run(UUID(str(flow_run.id)), tags=list(tags))
    return LeadReport(batch.batch_id, len(batch.items), dict(Counter(outcomes.values())))
