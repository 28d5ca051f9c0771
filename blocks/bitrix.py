"""Bitrix24: the block with a portal's webhook, and the task that places leads there."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr

from blocks._batch import BatchItem, LeadBatch
from blocks._limit import wait_for_place
from blocks._retry import retried
from blocks._shared import shared
from lib.clients.bitrix import Bitrix, NotFound
from lib.clients.bitrix_calls import BitrixCalls
from lib.clients.bitrix_leads import BitrixLeads, Placed
from lib.clients.bitrix_scores import BitrixScores, ScoreFields
from lib.clients.bitrix_setup import BAND_FIELD, CALLS_FIELD, SCORE_FIELD
from lib.domain.placement import Filing, Placement, choose_placement, without_twins
from lib.errors import PotokError
from lib.store.engine import Database
from lib.store.filings import Filings

log = logging.getLogger(__name__)


class BitrixPortal(Block):
    """A Bitrix24 portal, reached by an incoming webhook with the right ``crm``."""

    _block_type_name = "potok Bitrix24 portal"
    _block_type_slug = "potok-bitrix24"
    _documentation_url = HttpUrl("https://apidocs.bitrix24.com/local-integrations/")

    webhook_url: SecretStr = Field(description="As in https://portal.bitrix24.ru/rest/1/code/.")
    limit_name: str | None = Field(
        default="bitrix24-main",
        description="Prefect's global concurrency limit for this portal; empty: no limit.",
    )
    source_id: str = Field(default="WEB", description="SOURCE_ID of new leads.")
    assigned_by_id: int | None = Field(default=None, description="Who gets new leads.")
    event_token: SecretStr | None = Field(
        default=None, description="The outgoing webhook's application token; none: no events."
    )
    score_field: str = Field(default=SCORE_FIELD, description="A lead's score, integer.")
    band_field: str = Field(default=BAND_FIELD, description="The score in a word.")
    calls_field: str = Field(default=CALLS_FIELD, description="A lead's calls, integer.")

    def connection(self) -> Bitrix:
        """The connection, shared by the runs of a process."""
        url, limit = self.webhook_url.get_secret_value(), self.limit_name
        limiter = partial(wait_for_place, limit) if limit else None
        return shared(("bitrix", url, limit), lambda: Bitrix(url, limiter=limiter))

    def lead_url(self, crm_id: int) -> str:
        """Where people see a lead."""
        portal = self.webhook_url.get_secret_value().partition("/rest/")[0]  # the rest is secret
        return f"{portal}/crm/lead/details/{crm_id}/"

    def calls(self) -> BitrixCalls:
        """The calls of the portal's leads."""
        return BitrixCalls(self.connection(), self.calls_field)

    def leads(self) -> BitrixLeads:
        """The portal's leads."""
        return BitrixLeads(self.connection(), self.source_id, self.assigned_by_id)

    def scores(self) -> BitrixScores:
        """The scores of the portal's leads."""
        return BitrixScores(self.connection(), ScoreFields(self.score_field, self.band_field))


@retried
async def ensure_leads(portal: BitrixPortal, database: Database, batch: LeadBatch) -> LeadBatch:
    """Every lead of the batch is in the CRM once, with the person's own words.

    Looks before it writes, so that it may be repeated after any failure, also of a lost answer.
    A lead that the portal refuses fails the messages it is made of, and no others. One that was
    deleted there, or merged into another, is placed anew, with all of its words.
    """
    started = time.monotonic()
    filings = Filings(database)
    items = [i for i in batch.going if i.lead is not None and "crm" not in i.ms]
    todo: Sequence[Filing] = await filings.open([i.lead.id for i in items if i.lead and i.lead.id])
    leads = portal.leads()
    while todo:
        now, todo = without_twins(todo)
        placed, gone = await _place(leads, filings, now)
        for origin, result in placed.items():
            _note(origin, result, items, started)
        todo = [*todo, *gone]
    return batch


def _is_gone(filing: Filing, placed: Placed) -> bool:
    """Whether a lead that was in the CRM is no more."""
    errors = [placed.error, *placed.unsaid.values()]
    return filing.lead.crm_id is not None and any(isinstance(e, NotFound) for e in errors)


async def _place(
    leads: BitrixLeads, filings: Filings, todo: Sequence[Filing]
) -> tuple[dict[str, Placed], list[Filing]]:
    """Look up, decide, write, and remember what was written.

    Returns:
        What became of the leads by origin, and those that are gone from the CRM, to place anew.
    """
    known = await leads.find(todo)
    refused: dict[str, Placed] = {}
    placements: list[Placement] = []
    for filing in todo:
        found = known[filing.lead.origin]
        if isinstance(found, PotokError):
            refused[filing.lead.origin] = Placed(error=found)
        else:
            placements.append(choose_placement(filing, found))
    await filings.mark_tried(placements)
    placed = refused | await leads.place(placements)
    gone = {f.lead.origin: f.lead.id for f in todo if _is_gone(f, placed[f.lead.origin])}
    await filings.record([p for p in placements if p.filing.lead.origin not in gone], placed)
    there = {origin: result for origin, result in placed.items() if origin not in gone}
    return there, await _unfiled(filings, [number for number in gone.values() if number])


async def _unfiled(filings: Filings, lead_ids: Sequence[int]) -> list[Filing]:
    """Leads that were in the CRM, as if they had never been."""
    if not lead_ids:
        return []
    log.warning("lead.gone_from_crm lead_ids=%s", list(lead_ids))
    await filings.forget(lead_ids)
    return await filings.open(lead_ids)


def _note(origin: str, placed: Placed, items: Sequence[BatchItem], started: float) -> None:
    """Carry a lead's outcome to the messages it is made of."""
    ms = round((time.monotonic() - started) * 1000)
    for item in items:
        if item.lead is not None and item.lead.origin == origin:
            item.lead = item.lead.model_copy(update={"crm_id": placed.crm_id})
            item.error = placed.error or placed.unsaid.get(item.message.ref)
            item.ms["crm"] = ms
