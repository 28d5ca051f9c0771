"""The work of one message in this process, without Prefect: what the platform adds to it."""

from __future__ import annotations

import time
from dataclasses import replace

import orjson

from lib.clients.bitrix import Bitrix
from lib.clients.bitrix_leads import BitrixLeads
from lib.clients.llm import Llm
from lib.domain.inbound import InboundMessage
from lib.domain.inquiry import rules_inquiry
from lib.domain.llm_reading import (
    SCHEMA_NAME,
    LlmAnswer,
    llm_answer_from,
    merge_readings,
    messages_for,
)
from lib.domain.placement import choose_placement
from lib.domain.telegram import message_from_update
from lib.errors import PotokError
from lib.gateway.hooks import delivery_from
from lib.store.batches import Batches
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.filings import Filings
from lib.store.inbox import Inbox
from lib.store.leads import Leads, ReadMessage
from lib.store.settlements import Settlement
from tests.bench.figures import Sample, percentile
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.people import Person

DEPLOYMENT = "bench/direct"  # no dispatcher takes these
MESSAGES = 60
QUICK = 20
WARM_UPS = 5


async def measure(house: House, options: Options) -> Sample:
    """One message after the other, with kept connections; the clock starts after the commit."""
    settings = house.settings
    webhook, key = settings.bitrix24_webhook_url, settings.llm_api_key
    assert webhook is not None
    assert key is not None
    assert settings.llm_base_url is not None
    assert settings.llm_model is not None
    database = Database(settings.database_url)
    times_ms = []
    async with (
        Bitrix(webhook.get_secret_value()) as bitrix,
        Llm(settings.llm_base_url, key.get_secret_value(), settings.llm_model) as llm,
    ):
        for person in house.people.some(WARM_UPS + (QUICK if options.is_quick else MESSAGES)):
            times_ms.append(await _message_ms(database, llm, BitrixLeads(bitrix), person))
    await database.close()
    counted = times_ms[WARM_UPS:]
    figures = {
        "direct.p50_ms": percentile(counted, 50),
        "direct.p95_ms": percentile(counted, 95),
    }
    return Sample(figures)


async def _message_ms(database: Database, llm: Llm, crm: BitrixLeads, person: Person) -> float:
    """Accept a message, then: claim, take, read, store, look up, place, record; then settle."""
    message = message_from_update("main", person.update)
    assert message is not None
    delivery = delivery_from(message, orjson.dumps(person.update))
    await Inbox(database).accept(replace(delivery, deployment=DEPLOYMENT))
    began = time.perf_counter()
    batches = Batches(database)
    claim = await Claims(database).claim(DEPLOYMENT, 1, max_open=1)
    assert claim is not None
    [claimed] = await batches.take(claim.batch_id)
    await _lead(database, llm, crm, claimed.id, InboundMessage.model_validate(claimed.message))
    took_ms = (time.perf_counter() - began) * 1000
    await batches.settle(claim.batch_id, [Settlement(claimed.id)], jitter=0.5)
    return took_ms


async def _lead(
    database: Database, llm: Llm, crm: BitrixLeads, delivery_id: int, message: InboundMessage
) -> None:
    answer = await llm.complete_json(
        messages_for(message), SCHEMA_NAME, LlmAnswer.model_json_schema()
    )
    inquiry = merge_readings(message, rules_inquiry(message), llm_answer_from(answer))
    grown = await Leads(database).grow([ReadMessage(delivery_id, message, inquiry)])
    lead = grown[delivery_id]
    assert lead is not None
    assert lead.id is not None
    filings = Filings(database)
    [filing] = await filings.open([lead.id])
    known = (await crm.find([filing]))[lead.origin]
    assert not isinstance(known, PotokError)
    placements = [choose_placement(filing, known)]
    await filings.mark_tried(placements)
    placed = await crm.place(placements)
    await filings.record(placements, placed)
    assert placed[lead.origin].crm_id is not None
