"""Managers are told of a lead that waits for a person: a missed call, a hot one unanswered.

Trigger  schedule, every 5 minutes
In       working hours, as in "mon-fri 09:00-18:00 Europe/Moscow"
Out      a message to the managers' chat with a link to the lead, once per lead and reason
Pool     live
"""

from __future__ import annotations

from prefect import flow

from blocks._load import load
from blocks.bitrix import BitrixPortal
from blocks.reminders import RemindersReport, remind
from blocks.storage import Store
from lib.domain.working_hours import working_hours_from


@flow(name="reminders", timeout_seconds=240)
async def reminders(
    hours: str = "mon-fri 09:00-18:00 Europe/Moscow", portal: str = "main"
) -> RemindersReport:
    """Look once at the leads that may want a person."""
    working = working_hours_from(hours)
    store, crm = await load(Store, "main"), await load(BitrixPortal, portal)
    return await remind(crm, store.database(), working)
