"""Leads as the store would keep them, a portal to place them in, and what it then shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix_leads import BitrixLeads, Placed
from lib.domain.leads import LeadState
from lib.domain.placement import Filing, Placement, Words, choose_placement
from lib.errors import AnswerLost, PotokError
from tests.domain.making import T0

LEAD, CONTACT, COMPANY = 1, 3, 4
CODE = "s3cret-webhook-code"
PORTAL = Portal(code=CODE, burst=None)


class Books:
    """What we know of our leads, kept as the store keeps it."""

    def __init__(self, crm: BitrixLeads, *filings: Filing) -> None:
        self._crm = crm
        self.by_origin = {filing.lead.origin: filing for filing in filings}

    async def ensure(self, *origins: str) -> dict[str, Placed]:
        """Look up, decide, write, note: what a run does with these leads, or with all."""
        filings = [self.by_origin[o] for o in origins or self.by_origin]
        known = await self._crm.find(filings)
        refused = {o: Placed(error=k) for o, k in known.items() if isinstance(k, PotokError)}
        placements = [
            choose_placement(filing, found)
            for filing in filings
            if not isinstance(found := known[filing.lead.origin], PotokError)
        ]
        for placement in placements:
            is_new = placement.action == "add"
            self._mark(placement, placement.filing.words if is_new else placement.comments)
        placed = await self._crm.place(placements)
        for placement in placements:
            self._note(placement, placed[placement.filing.lead.origin])
        return refused | placed

    async def ensure_unheard(self) -> None:
        """As `ensure`, and the portal's answer is lost after it has written."""
        PORTAL.failures.add({"kind": "lose_answer"})
        with pytest.raises(AnswerLost):
            await self.ensure()

    def says(self, origin: str, text: str, **fields: Any) -> None:
        """The person writes once more, and the lead grows."""
        filing = self.by_origin[origin]
        more = words(f"{origin}-{text}", text)
        version = filing.lead.version + bool(fields)
        lead = filing.lead.model_copy(update={**fields, "version": version})
        self.by_origin[origin] = Filing(lead, (*filing.words, more))

    def _mark(self, placement: Placement, sent: Sequence[Words]) -> None:
        filing = self.by_origin[placement.filing.lead.origin]
        refs = {each.ref for each in sent}
        marked = (replace(w, in_crm="tried") if w.ref in refs else w for w in filing.words)
        self.by_origin[filing.lead.origin] = replace(filing, words=tuple(marked))

    def _note(self, placement: Placement, placed: Placed) -> None:
        filing = self.by_origin[placement.filing.lead.origin]
        if placed.crm_id is None:
            return
        lead = filing.lead.model_copy(
            update={
                "crm_id": placed.crm_id,
                "crm_version": filing.lead.version,
                "crm_linked": filing.lead.crm_linked or placement.action == "link",
            }
        )
        left = tuple(w for w in filing.words if w.ref not in placed.commented)
        self.by_origin[lead.origin] = Filing(lead, left)


def words(ref: str, text: str) -> Words:
    return Words(ref, T0, text)


def filing(number: int = 1, text: str = "нужен кредит", **fields: Any) -> Filing:
    """A lead that the CRM has not got."""
    origin = f"telegram:main:{number}:{number}"
    lead = LeadState(
        id=number,
        origin=origin,
        source="telegram",
        person=f"telegram:{number}",
        opened_at=T0,
        last_message_at=T0 + timedelta(minutes=1),
        **{"name": "Анна", "intent": "кредит", **fields},
    )
    return Filing(lead, (words(origin, text),))


def crm_leads(portal: Portal) -> list[dict[str, Any]]:
    return list(portal.items[LEAD].values())


def comments(portal: Portal, crm_id: int) -> list[str]:
    """The words on a lead's timeline, without time and ref."""
    return [row["COMMENT"].split("\n")[1] for row in portal.comments.get((LEAD, crm_id), [])]


def multifields(kind: str, value: str) -> list[dict[str, Any]]:
    return [{"id": None, "typeId": kind, "valueType": "WORK", "value": value}]


ORIGIN = filing().lead.origin
PHONE = "+79161234567"
