"""Tools that look into our own database: leads, and the inbox."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastmcp import FastMCP
from pydantic import Field

from lib.errors import Rejected
from lib.gateway.mcp.caller import told
from lib.gateway.mcp.house import House
from lib.gateway.mcp.runs import BEGINS, LOOKS
from lib.store.inbox import DeliveryView
from lib.store.lead_search import QUERY_CHARS

log = logging.getLogger(__name__)

Delivery = Annotated[str, Field(max_length=500, description="The key or number of a delivery.")]


class RecordTools:
    """``leads_search``, ``inbox`` and ``inbox_retry``."""

    def __init__(self, house: House) -> None:
        self._house = house

    def add_to(self, server: FastMCP[Any]) -> None:
        """Have a server offer them, each to those who have its scope."""
        server.tool(self.leads_search, tags={"read"}, annotations=LOOKS)
        server.tool(self.inbox, tags={"read"}, annotations=LOOKS)
        server.tool(self.inbox_retry, tags={"admin"}, annotations=BEGINS)

    async def leads_search(
        self,
        query: Annotated[
            str,
            Field(
                max_length=QUERY_CHARS,
                description="Part of a name, phone, e-mail, company, wish or words, or a lead's"
                " number; empty: the newest leads.",
            ),
        ] = "",
        band: Annotated[
            Literal["hot", "warm", "cold"] | None, Field(description="Of its score.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
        with_texts: Annotated[
            bool, Field(description="With what the person wrote. Only where it is needed.")
        ] = False,
    ) -> dict[str, Any]:
        """Leads, with their score and what the CRM knows. Personal data: names, phones, e-mails."""
        with told():
            found = await self._house.leads.find(query, band=band, limit=limit, texts=with_texts)
        return {"leads": [_plain(lead) for lead in found]}

    async def inbox(
        self,
        key: Annotated[Delivery | None, Field(description="One delivery; else a list.")] = None,
        state: Literal["received", "claimed", "failed", "done", "dead"] | None = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
        with_body: Annotated[
            bool,
            Field(description="With `key`: the message as it came. Personal data; if needed only."),
        ] = False,
    ) -> dict[str, Any]:
        """What came in, what became of it, and how many deliveries are in which state."""
        with told():
            if key is not None:
                return {"delivery": _seen(await _found(self._house, key), with_body=with_body)}
            views = await self._house.inbox.newest(state, limit)
            counts = await self._house.inbox.counts()
        return {"counts": counts, "deliveries": [_seen(view) for view in views]}

    async def inbox_retry(self, key: Delivery) -> dict[str, Any]:
        """Bring back a dead delivery, one that was given up, as if it were new."""
        with told():
            view = await _found(self._house, key)
            if view.state != "dead" or not await self._house.inbox.retry([view.key]):
                raise Rejected(f"only the dead come back: {view.key} is {view.state}")
        log.info("mcp.inbox_retried delivery=%d by=%s", view.id, self._house.callers.now().name)
        return {"delivery": _seen(await _found(self._house, view.key))}


async def _found(house: House, key: str) -> DeliveryView:
    is_text = "\x00" not in key and not any("\ud800" <= char <= "\udfff" for char in key)
    view = await house.inbox.show(key) if is_text else None
    if view is None:
        raise Rejected("no delivery has this key or number")
    return view


def _seen(view: DeliveryView, *, with_body: bool = False) -> dict[str, Any]:
    shown = asdict(view)
    body = shown.pop("raw")
    return _plain(shown | {"body": body} if with_body else shown)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row for JSON, without what is not known."""
    return {name: _value(value) for name, value in row.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(each) if isinstance(each, dict) else _value(each) for each in value]
    return value if isinstance(value, str | int | float | bool | dict) else str(value)
