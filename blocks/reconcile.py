"""Reconciling our leads with the CRM's, as tasks: look there, mend, show what differed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prefect.artifacts import acreate_table_artifact

from blocks._events import Events
from blocks._retry import retried
from blocks.alerts import tell_denied
from blocks.bitrix import BitrixPortal
from lib.clients.bitrix import NotFound
from lib.clients.bitrix_watch import BitrixWatch, Seen
from lib.domain.reconcile import Look, Mend, Plan, plan
from lib.errors import Denied, PotokError, Unavailable
from lib.store.reconcile import Reconciliation

log = logging.getLogger(__name__)

LEAD, COMMENT = "crm_lead_id", "crm_comment_id"  # what events name
ROWS = 1000  # of the artifact; the rest is in the log


class Sight:
    """What was seen there. A plain class, so that Prefect does not walk through its leads.

    Attributes:
        read_to: up to when all changes were read; None: not all were.
        is_whole: everything was looked for, and not only what events named.
    """

    def __init__(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.seen = Seen()
        self.commented: dict[int, datetime] = {}
        self.read_to: datetime | None = None
        self.listed = False

    @property
    def look(self) -> Look:
        """It, to be compared."""
        leads = tuple(self.seen.leads.values())
        return Look(leads, frozenset(self.seen.gone), self.commented)


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """A run in figures: what was mended by kind, and what the portal refused."""

    mended: dict[str, int]
    rows: list[dict[str, Any]] = field(repr=False)
    refused: list[PotokError] = field(default_factory=list)
    unlisted: bool = False

    def check(self) -> None:
        """Raise what kept us from reading what changed there; all else was mended."""
        if self.unlisted and self.refused:
            raise self.refused[0]


@retried
async def look_at_crm(portal: BitrixPortal, events: Events) -> Sight:
    """See what the events name, or, without a batch, all that may differ.

    What the portal refuses to show is noted, and stops nothing else.

    Raises:
        Unavailable: the portal is away.
    """
    watch = BitrixWatch(portal.connection())
    if events.batch_id is not None:
        return await _look_at_named(watch, events)
    return await _look_at_all(watch, events)


@retried
async def mend(events: Events, sight: Sight) -> UpkeepReport:
    """Compare what is here with what was seen there, and make them equal."""
    ours = Reconciliation(events.database)
    look = sight.look
    origins = [lead.origin for lead in look.leads if lead.origin is not None]
    ids = {*sight.seen.leads, *look.gone}
    # A lead that cannot be listed cannot be looked up before it is sent, either.
    here = await ours.here(ids, origins, behind=sight.is_whole and sight.listed)
    found = plan(here, look)
    done = await ours.apply(found.mends, sight.read_to)
    return _report(sight, found, done)


async def publish_differences(report: UpkeepReport) -> None:
    """Leave the table of what differed, and tell a person of a right that is missing."""
    if report.rows:
        await acreate_table_artifact(
            report.rows[:ROWS], key="crm-differences", description="Differences from the CRM"
        )
    await tell_denied(report.refused)


async def _look_at_named(watch: BitrixWatch, events: Events) -> Sight:
    sight = Sight(is_whole=False)
    leads = [int(number) for number in events.named(LEAD)]
    comments = [int(number) for number in events.named(COMMENT)]
    on_leads, failed = await watch.leads_of_comments(comments)
    sight.seen.errors += failed.values()
    for comment_id, error in failed.items():
        events.fail(COMMENT, [comment_id], error)
    await watch.look([*leads, *on_leads.values()], sight.seen, whole=True)
    for crm_id, error in sight.seen.unread.items():
        events.fail(LEAD, [crm_id], error)
        events.fail(COMMENT, [c for c, lead in on_leads.items() if lead == crm_id], error)
    sight.commented = await watch.first_comments(
        set(on_leads.values()) & sight.seen.present, sight.seen.errors
    )
    return sight


async def _look_at_all(watch: BitrixWatch, events: Events) -> Sight:
    sight = Sight(is_whole=True)
    noted = await Reconciliation(events.database).noted()
    try:
        await watch.changed(noted.since, sight.seen)
    except Unavailable:
        raise
    except PotokError as exc:
        sight.seen.errors.append(exc)
    else:
        sight.listed = True
        moments = (lead.updated_at for lead in sight.seen.leads.values())
        sight.read_to = max(moments, default=None)
    try:
        await watch.look(noted.followed - sight.seen.present, sight.seen, whole=True)
        await watch.look(noted.closed - sight.seen.present, sight.seen, whole=False)
        present = noted.unanswered & sight.seen.present
        sight.commented = await watch.first_comments(present, sight.seen.errors)
    except Denied as exc:  # the whole webhook is refused
        sight.seen.errors.append(exc)
    return sight


def _report(sight: Sight, found: Plan, done: Sequence[Mend]) -> UpkeepReport:
    rows = [_row(m.kind, m.lead_id, m.crm_id, m.done) for m in done]
    for row in rows:
        log.info("lead.mended kind=%s lead_id=%s crm_id=%s done=%r", *row.values())
    for crm_id, semantic in found.unknown_statuses.items():
        log.warning("lead.status_unknown crm_id=%d semantic=%r", crm_id, semantic[:20])
        rows.append(_row("unknown_status", None, crm_id, "kept as unknown"))
    for crm_id in found.twins:
        log.warning("lead.twice_in_crm crm_id=%d", crm_id)
        rows.append(_row("twice_in_crm", None, crm_id, "left to a person"))
    for lead_id in found.stuck:
        log.warning("lead.refused_by_crm lead_id=%d", lead_id)
        rows.append(_row("refused_by_crm", lead_id, None, "left to a person"))
    errors = [e for e in sight.seen.errors if not isinstance(e, NotFound)]
    for kind, reason in dict.fromkeys((type(e).__name__, str(e)) for e in sight.seen.errors):
        log.warning("reconcile.refused kind=%s reason=%s", kind, reason)
    mended = dict(Counter(m.kind for m in done))
    return UpkeepReport(mended, rows, errors, sight.is_whole and not sight.listed)


def _row(kind: str, lead_id: int | None, crm_id: int | None, done: str) -> dict[str, Any]:
    return {"kind": kind, "lead": lead_id or "", "crm": crm_id or "", "done": done}
