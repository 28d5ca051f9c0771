"""What a portal, our database and the flows between them do, without Prefect's engine.

The portal and the door of its events are real HTTP; a run is its tasks' own functions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from blocks._events import events_of
from blocks.bitrix import BitrixPortal, ensure_leads
from blocks.inquiries import read_inquiries
from blocks.reconcile import UpkeepReport, look_at_crm, mend
from blocks.storage import Store, settle, store_leads, take
from deployments.sandbox.bitrix import Portal, bitrix_app
from deployments.sandbox.bitrix_events import Handler
from lib.domain.telegram import message_from_update
from lib.errors import PotokError
from lib.gateway.crm_hooks import crm_hooks_router
from lib.gateway.hooks import DoorKeys, delivery_from
from lib.store.claims import Claims
from lib.store.engine import Database
from lib.store.inbox import Inbox
from tests.clients.books import CODE, LEAD, PORTAL
from tests.flows.people import Person
from tests.sandbox_server import running
from tests.store.making import pauses_end, rows, run_sql
from tests.support import until

TOKEN = "t0ken-of-events"


@dataclass
class CrmHouse:
    """The two sides, and what may happen to either."""

    db: Database
    store: Store
    block: BitrixPortal
    url: str
    portal: Portal = PORTAL
    between: list[Callable[[], object]] = field(default_factory=list)  # after each request, one

    async def begin(self) -> None:
        """Both sides as at the start, and events on."""
        tables = "deliveries, batches, leads, lead_messages, watermarks"
        await run_sql(self.db, f"truncate {tables} restart identity cascade")
        self.portal.reset()
        self.between.clear()
        self.portal.outgoing.handler = Handler(f"{self.url}/hooks/bitrix24", TOKEN)

    async def says(self, person: Person, text: str) -> str:
        """A message is in the inbox; its ref."""
        update = person.says(text)
        message = message_from_update("main", update)
        assert message is not None
        assert await Inbox(self.db).accept(delivery_from(message, orjson.dumps(update)))
        return message.ref

    async def leads_runs(self) -> None:
        """Runs of ``leads`` until nothing is due."""
        while claim := await Claims(self.db).claim("leads/main", 200, 100):
            async with self.store.hold(claim.batch_id) as database:
                batch = await take.fn(database, claim.batch_id)
                await read_inquiries.fn(None, batch)
                await store_leads.fn(database, batch)
                try:
                    await ensure_leads.fn(self.block, database, batch)
                except PotokError as exc:
                    batch.fail(batch.going, exc)
                await settle.fn(database, batch)

    async def upkeep(self) -> UpkeepReport:
        """A run of ``upkeep`` by its schedule."""
        async with events_of(self.store, None) as events:
            return await mend.fn(events, await look_at_crm.fn(self.block, events))

    async def upkeep_of_events(self) -> UpkeepReport | None:
        """A run of ``upkeep`` with what the portal has told; None: it has told nothing."""
        await until(lambda: not self.portal.outgoing.pending)
        claim = await Claims(self.db).claim("upkeep/main", 200, 100)
        if claim is None:
            return None
        async with events_of(self.store, claim.batch_id) as events:
            return await mend.fn(events, await look_at_crm.fn(self.block, events))

    async def all_goes_well(self) -> None:
        """Failures end, and whatever waits for its time is due."""
        self.portal.failures.clear()
        await until(lambda: not self.portal.outgoing.pending)
        await pauses_end(self.db)
        await self.leads_runs()

    async def mended(self) -> dict[str, int]:
        """What a run by schedule mends when all goes well, and the messages it sends again."""
        await self.all_goes_well()
        report = await self.upkeep()
        report.check()
        await self.leads_runs()
        return report.mended

    async def leads(self) -> list[dict[str, Any]]:
        """Our leads."""
        return await rows(self.db, "select * from leads order by id")

    def there(self) -> list[dict[str, Any]]:
        """The portal's leads."""
        return list(self.portal.items[LEAD].values())

    def said_there(self, crm_id: int) -> str:
        """Everything on a lead there."""
        timeline = self.portal.comments.get((LEAD, crm_id), [])
        own = self.portal.items[LEAD][crm_id]["comments"] or ""
        return "\n".join([own, *(row["COMMENT"] for row in timeline)])


@asynccontextmanager
async def crm_house(db: Database) -> AsyncIterator[CrmHouse]:
    """A house on a database."""
    app = FastAPI()
    app.include_router(crm_hooks_router(Inbox(db), DoorKeys(portals={"main": TOKEN})))
    between: list[Callable[[], object]] = []
    portal = bitrix_app(PORTAL)

    async def interrupted(scope: Scope, receive: Receive, send: Send) -> None:
        await portal(scope, receive, send)
        if between:
            between.pop(0)()

    app.router.routes.append(Mount("/bitrix", interrupted))
    async with running(app) as url:
        webhook = SecretStr(f"{url}/bitrix/rest/1/{CODE}/")
        block = BitrixPortal(webhook_url=webhook, limit_name=None)
        store = Store(dsn=SecretStr(db.dsn))
        yield CrmHouse(db, store, block, url, between=between)
        await block.connection().aclose()
        await store.database().close()
