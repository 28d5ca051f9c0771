"""The week in figures, for the people who sell.

Trigger  schedule, Mondays at nine in Moscow
In       the Monday of a week; without one, the last week that is over
Out      leads per day by source, bands, calls, time to the first call, deals: as text and plots
         in the managers' chat, and on the run
Pool     live
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from prefect import flow

from blocks._load import load
from blocks.storage import Store
from blocks.weekly import count_week, draw_week, publish_week
from lib.domain.weekly import Week, last_week
from lib.errors import Rejected


@flow(name="weekly", timeout_seconds=300)
async def weekly(monday: date | None = None) -> Week:
    """Report one week."""
    if monday is not None and (monday.weekday() != 0 or not 2000 <= monday.year <= 2100):
        raise Rejected(f"{monday} is no Monday of these years")
    store = await load(Store, "main")
    week = await count_week(store.database(), monday or last_week(datetime.now(UTC)))
    await publish_week(week, await draw_week(week))
    return week
