"""Calls as tasks: read what is new, keep it, tell the CRM, leave a table for people."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect.artifacts import acreate_table_artifact

from blocks._retry import retried
from blocks.bitrix import BitrixPortal
from lib.clients.bitrix import BATCH_LENGTH, NotFound
from lib.clients.bitrix_calls import BitrixCalls
from lib.domain.calls import (
    EARLIEST,
    ID_OVERLAP,
    OVERLAP,
    Problem,
    bound,
    lead_unknown,
    next_watermark,
    read_calls,
)
from lib.errors import Denied, PotokError
from lib.store.calls import Calls
from lib.store.engine import Database

log = logging.getLogger(__name__)

SHOWN = 20  # odd rows of a name that are logged one by one


@dataclass(slots=True)
class CallsReport:
    """A count in figures.

    Attributes:
        read: rows that the portal gave, those of the overlap too.
        new: calls that were not here before.
        leads: leads of ours whose calls have changed.
        told: leads of the CRM that have got their number of calls.
        problems: how many there were, by name.
        denied: what the portal does not let us see.
        refused: what the CRM did not take, by our lead.
    """

    read: int = 0
    new: int = 0
    leads: set[int] = field(default_factory=set)
    told: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    denied: list[PotokError] = field(default_factory=list)
    refused: dict[int, PotokError] = field(default_factory=dict)

    def note(self, problems: Iterable[Problem]) -> None:
        """Count what is odd by its name, and log the first of each."""
        for problem in problems:
            self.problems[problem.name] += 1
            if self.problems[problem.name] <= SHOWN:
                log.warning(
                    "call.odd id=%s problem=%s value=%s", problem.id, problem.name, problem.value
                )

    def deny(self, error: PotokError) -> None:
        """Note what the portal refuses to show."""
        if str(error) not in map(str, self.denied):
            self.denied.append(error)
            log.error("calls.denied kind=%s reason=%s", type(error).__name__, error)
        self.problems[type(error).__name__] += 1

    def check(self) -> None:
        """Raise what the portal said when it showed nothing at all."""
        if self.denied and not self.read:
            raise self.denied[0]


@retried
async def count_calls(
    portal: BitrixPortal, database: Database, since: datetime | None = None
) -> CallsReport:
    """Read the calls that are new or may have changed; what is read is kept page by page.

    Two counts at once read the same twice and change it once. One that breaks off goes on where it
    was: new rows are known by their ids, and the watermark moves in the pages' transactions.

    Args:
        portal: whose statistic.
        database: ours.
        since: read everything again that began since then.
    """
    calls, crm, report = Calls(database), portal.calls(), CallsReport()
    if since is not None:
        await calls.set_back(max(EARLIEST, since if since.tzinfo else since.replace(tzinfo=UTC)))
    known, now = await calls.where_read(), datetime.now(UTC)
    known_id = max(0, (known.last_id or 0) - ID_OVERLAP)
    try:
        if known.at is not None and known_id:
            async for rows in crm.pages(until=known_id, since=known.at - OVERLAP):
                await _keep(rows, crm, calls, report)
            await calls.catch_up(now)
        watermark = known.at
        async for rows in crm.pages(after=known_id):
            watermark = await _keep(rows, crm, calls, report, watermark, now)
    except Denied as exc:
        report.deny(exc)
    report.leads |= await calls.adopt()
    log.info(
        "calls.counted read=%d new=%d leads=%d problems=%s",
        *(report.read, report.new, len(report.leads), dict(report.problems)),
    )
    return report


@retried
async def tell_calls(
    portal: BitrixPortal, database: Database, lead_ids: Sequence[int], report: CallsReport
) -> CallsReport:
    """Write into the CRM how many calls these leads have; one that is gone there is left out.

    Safe to repeat: what is written is what there is now.
    """
    crm, counts = portal.calls(), await Calls(database).for_crm(lead_ids)
    for first in range(0, len(counts), BATCH_LENGTH):
        some = counts[first : first + BATCH_LENGTH]
        try:
            errors = await crm.tell({each.crm_id: each.calls for each in some})
        except Denied as exc:
            errors = dict.fromkeys((each.crm_id for each in some), exc)
        for each in some:
            error = errors[each.crm_id]
            if error is None:
                report.told += 1
                continue
            kind = type(error).__name__
            log.warning("calls.not_told crm_id=%d kind=%s reason=%s", each.crm_id, kind, error)
            report.problems[kind] += 1
            if not isinstance(error, NotFound):
                report.refused |= dict.fromkeys(each.lead_ids, error)
    return report


async def publish_calls(report: CallsReport) -> None:
    """Leave a table of what was read and told, and of the problems by name."""
    rows = {
        "calls read": report.read,
        "new calls": report.new,
        "leads whose calls changed": len(report.leads),
        "leads told to the CRM": report.told,
        **{f"problem: {name}": count for name, count in sorted(report.problems.items())},
    }
    await acreate_table_artifact(
        [{"what": what, "count": count} for what, count in rows.items()],
        key="calls",
        description="What was read and told",
    )


async def _keep(
    rows: list[object],
    crm: BitrixCalls,
    calls: Calls,
    report: CallsReport,
    watermark: datetime | None = None,
    now: datetime | None = None,
) -> datetime | None:
    """Keep one page; with ``now``, the watermark moves with it."""
    found, problems = read_calls(rows)
    report.note(problems)
    leads = await crm.bound(lead_unknown(found))
    for error in leads.errors:
        report.deny(error)
    watermark = next_watermark(watermark, found, now) if now else None
    saved = await calls.save(bound(found, leads.leads), watermark)
    report.read += len(rows)
    report.new += saved.new
    report.leads |= saved.lead_ids
    return watermark
