"""Reminders as a task: whom nobody answers, told to the managers once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from blocks._retry import retried
from blocks.alerts import tell_managers
from blocks.bitrix import BitrixPortal
from lib.domain.reminders import A_MESSAGE, STALE_AFTER, due, reminder_text
from lib.domain.working_hours import WorkingHours
from lib.store.engine import Database
from lib.store.reminders import Reminders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemindersReport:
    """Reminders in figures: leads that were looked at, and those that managers were told of."""

    watched: int
    told: int


@retried
async def remind(portal: BitrixPortal, database: Database, hours: WorkingHours) -> RemindersReport:
    """Tell the managers of each lead and reason once; one that cannot be told stays due."""
    reminders, now = Reminders(database), datetime.now(UTC)
    async with reminders.hold():
        watched = await reminders.watched(now - STALE_AFTER)
        wanted = [
            (lead, reason, portal.lead_url(lead.crm_id) if lead.crm_id else "")
            for lead in watched
            for reason in due(lead, now, hours)
        ]
        for first in range(0, len(wanted), A_MESSAGE):
            some = wanted[first : first + A_MESSAGE]
            if not await tell_managers(reminder_text(some, now)):
                return RemindersReport(len(watched), first)  # nobody to tell: they stay due
            await reminders.remember([(lead.lead_id, reason) for lead, reason, _ in some])
            for lead, reason, _ in some:
                log.info("managers.reminded lead_id=%d reason=%s", lead.lead_id, reason)
    return RemindersReport(len(watched), len(wanted))
