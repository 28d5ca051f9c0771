"""Telegram messages become CRM leads.

Trigger  webhooks /hooks/telegram/{bot} and /hooks/forwarder, by way of the inbox
In       a batch of inbox deliveries, by id
Out      one lead per person in PostgreSQL and Bitrix24; an artifact that lists the batch;
         voice messages go to `transcripts`, and come back with their words
Pool     live
"""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from blocks._load import load, load_if_any
from blocks.alerts import tell_failures
from blocks.bitrix import BitrixPortal, ensure_leads
from blocks.inquiries import LanguageModel, read_inquiries
from blocks.report import LeadReport, publish
from blocks.speech import ask_hearing
from blocks.storage import Store, settle, store_leads, take
from lib.errors import PotokError


@flow(name="leads", timeout_seconds=300)
async def leads(batch_id: UUID, portal: str = "main", model: str = "main") -> LeadReport:
    """Turn one batch of messages into leads; a message that fails fails alone."""
    store, crm = await load(Store, "main"), await load(BitrixPortal, portal)
    llm = await load_if_any(LanguageModel, model)
    async with store.hold(batch_id) as database:
        batch = await take(database, batch_id)
        await read_inquiries(llm, batch)
        await store_leads(database, batch)
        try:
            await ensure_leads(crm, database, batch)
        except PotokError as exc:  # the CRM is away: all go back, to be tried later
            batch.fail(batch.going, exc)
        await settle(database, batch, await ask_hearing(batch))
    await tell_failures(batch)
    report = await publish(batch)
    report.check()
    return report
