"""What happened to leads in Bitrix24: what changed, what is still there, what people said.

Source: crm.item.list, crm.item.get, crm.timeline.comment.* of b24restdocs, 2026-08.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from lib.clients.bitrix import BATCH_LENGTH, PAGE, Bitrix, Command, EntityType, Reference, by_key
from lib.clients.bitrix_batch import chunks, items_of
from lib.clients.bitrix_errors import NotFound
from lib.clients.bitrix_leads import ORIGINATOR
from lib.domain.lead_texts import is_ours
from lib.domain.reconcile import There
from lib.domain.shape import clean_text, moment_from
from lib.errors import PotokError, Rejected, Unavailable

# The portal tells times in seconds, and a page may be read before a change of its own time shows.
OVERLAP = timedelta(minutes=10)
PAGES_A_REQUEST = 10
TEXT_LIMIT = 250

_LEAD = int(EntityType.LEAD)
_FIELDS = (
    *("id", "originatorId", "originId", "stageId", "stageSemanticId"),
    *("createdTime", "updatedTime", "movedTime", "name", "companyTitle", "phone", "email"),
    *("opportunity", "currencyId"),
)


@dataclass(slots=True)
class Seen:
    """What was read, and what could not be.

    Attributes:
        leads: by id.
        present: ids that are there, read whole or not.
        gone: ids that are not.
        unread: ids that the portal refused to show, and why.
        errors: whatever it refused; the rest was read all the same.
    """

    leads: dict[int, There] = field(default_factory=dict)
    present: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    unread: dict[int, PotokError] = field(default_factory=dict)
    errors: list[PotokError] = field(default_factory=list)

    def add(self, result: Any) -> list[dict[str, Any]]:
        """Take in the answer of one list; its rows."""
        rows = items_of(result)
        for row in rows:
            self.present.add(int(row["id"]))
            if "updatedTime" in row:
                self.take(row)
        return rows

    def refuse(self, error: PotokError, ids: Iterable[int]) -> None:
        """The portal does not show these."""
        self.errors.append(error)
        self.unread |= dict.fromkeys(ids, error)

    def take(self, row: dict[str, Any]) -> None:
        """Take in one lead; one that cannot be read is an error by itself."""
        try:
            lead = there_from(row)
        except Rejected as exc:
            self.errors.append(exc)
        else:
            self.leads[lead.crm_id] = lead


class BitrixWatch:
    """A look at the leads of one portal; it changes nothing."""

    def __init__(self, bitrix: Bitrix) -> None:
        self._bitrix = bitrix

    async def changed(self, since: datetime | None, seen: Seen) -> None:
        """Our leads that changed since a moment, and a little before it; all of them: None.

        Raises:
            PotokError: they cannot be listed.
        """
        conditions: dict[str, Any] = {"originatorId": ORIGINATOR}
        if since is not None:
            conditions[">=updatedTime"] = since - OVERLAP
        page = seen.add(
            await self._bitrix.call("crm.item.list", _listing(conditions, 0), write=False)
        )
        while len(page) == PAGE:
            page = await self._next_pages(conditions, int(page[-1]["id"]), seen)

    async def _next_pages(
        self, conditions: dict[str, Any], last_id: int, seen: Seen
    ) -> list[dict[str, Any]]:
        """Pages in one request, each after the last lead of the one before; the last of them."""
        after: int | Reference = last_id
        commands = []
        for number in range(PAGES_A_REQUEST):
            commands.append(Command(f"p{number}", "crm.item.list", _listing(conditions, after)))
            after = Reference.to(f"p{number}", "items", PAGE - 1, "id")
        answer = await self._bitrix.batch(commands, write=False)
        page: list[dict[str, Any]] = []
        for command in commands:
            page = seen.add(answer.result_of(command.key))
            if len(page) < PAGE:
                break  # what follows refers to a row that is not there
            if int(page[-1]["id"]) <= last_id:
                raise Unavailable("Bitrix24 crm.item.list: pages do not advance")
            last_id = int(page[-1]["id"])
        return page

    async def look(self, ids: Iterable[int], seen: Seen, *, whole: bool) -> None:
        """Which of these leads are there, and, ``whole``, how they are.

        One that no list shows is asked for by itself: rights may hide it, and then it is not gone.

        Raises:
            PotokError: a whole request failed.
        """
        asked = sorted(set(ids))
        select = _FIELDS if whole else ("id",)
        commands = [
            Command(f"l{number}", "crm.item.list", _listing({"@id": chunk}, 0, select))
            for number, chunk in enumerate(chunks(asked, PAGE))
        ]
        for batch in chunks(commands, BATCH_LENGTH):
            answer = await self._bitrix.batch(batch, write=False)
            for command in batch:
                if error := answer.errors.get(command.key):
                    seen.refuse(error, command.params["filter"]["@id"])
                else:
                    seen.add(answer.results[command.key])
        await self._ask_each(
            [i for i in asked if i not in seen.present and i not in seen.unread], seen
        )

    async def _ask_each(self, ids: Sequence[int], seen: Seen) -> None:
        for batch in chunks(ids, BATCH_LENGTH):
            commands = [
                Command(str(i), "crm.item.get", {"entityTypeId": _LEAD, "id": i}) for i in batch
            ]
            answer = await self._bitrix.batch(commands, write=False)
            for crm_id in batch:
                error = answer.errors.get(str(crm_id))
                if isinstance(error, NotFound):
                    seen.gone.add(crm_id)
                elif error is not None:
                    seen.refuse(error, [crm_id])
                else:
                    seen.present.add(crm_id)
                    seen.take(by_key(by_key(answer.results[str(crm_id)]).get("item")))

    async def first_comments(
        self, ids: Iterable[int], errors: list[PotokError]
    ) -> dict[int, datetime]:
        """When a person, and not we, first commented on each of these leads."""
        found: dict[int, datetime] = {}
        asked = [(crm_id, 0) for crm_id in sorted(set(ids))]
        while asked:
            further: list[tuple[int, int]] = []  # a person may come after a page of ours
            for batch in chunks(asked, BATCH_LENGTH):
                answer = await self._bitrix.batch([_comments_of(*of) for of in batch], write=False)
                errors += answer.errors.values()
                for crm_id, start in batch:
                    if first := _first_of_a_person(answer.results.get(str(crm_id))):
                        found[crm_id] = first
                    elif start + PAGE < answer.totals.get(str(crm_id), 0):
                        further.append((crm_id, start + PAGE))
            asked = further
        return found

    async def leads_of_comments(
        self, ids: Iterable[int]
    ) -> tuple[dict[int, int], dict[int, PotokError]]:
        """The lead that each of these comments stands on, and why that of another is not told.

        Those of other things than leads, and those that are deleted, are in neither.
        """
        found: dict[int, int] = {}
        failed: dict[int, PotokError] = {}
        for batch in chunks(sorted(set(ids)), BATCH_LENGTH):
            commands = [Command(str(i), "crm.timeline.comment.get", {"id": i}) for i in batch]
            answer = await self._bitrix.batch(commands, write=False)
            for key, error in answer.errors.items():
                if not isinstance(error, NotFound):
                    failed[int(key)] = error
            for key, result in answer.results.items():
                row = by_key(result)
                if str(row.get("ENTITY_TYPE")).lower() == "lead":
                    found[int(key)] = int(row["ENTITY_ID"])
        return found, failed


def there_from(item: dict[str, Any]) -> There:
    """A lead as crm.item.* shows it.

    Raises:
        Rejected: it has no times.
    """
    number = int(item["id"])
    created_at, updated_at = (moment_from(item.get(f"{k}Time")) for k in ("created", "updated"))
    if created_at is None or updated_at is None:
        raise Rejected(f"Bitrix24 lead {number}: no time of creation or of change")
    origin = _text(item, "originId") if item.get("originatorId") == ORIGINATOR else None
    return There(
        number,
        created_at,
        updated_at,
        origin=origin,
        stage=_text(item, "stageId"),
        semantic=_text(item, "stageSemanticId"),
        moved_at=moment_from(item.get("movedTime")),
        name=_text(item, "name"),
        phone=_text(item, "phone"),
        email=_text(item, "email"),
        company=_text(item, "companyTitle"),
        amount=_amount(item.get("opportunity")),
        currency=_text(item, "currencyId"),
    )


def _listing(
    conditions: dict[str, Any], after: int | Reference, select: Sequence[str] = _FIELDS
) -> dict[str, Any]:
    # Without counting: fast on any size.
    return {
        "entityTypeId": _LEAD,
        "filter": {**conditions, ">id": after},
        "select": list(select),
        "order": {"id": "ASC"},
        "start": -1,
    }


def _comments_of(crm_id: int, start: int) -> Command:
    params = {
        "start": start,
        "filter": {"ENTITY_ID": crm_id, "ENTITY_TYPE": "lead"},
        "order": {"ID": "ASC"},
        "select": ["ID", "COMMENT", "CREATED"],
    }
    return Command(str(crm_id), "crm.timeline.comment.list", params)


def _first_of_a_person(result: Any) -> datetime | None:
    rows = [by_key(row) for row in by_key(result).values()]
    said = (moment_from(row.get("CREATED")) for row in rows if not is_ours(_comment(row)))
    return min((at for at in said if at is not None), default=None)


def _comment(row: dict[str, Any]) -> str:
    return str(row.get("COMMENT") or "")


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    return clean_text(str(value), TEXT_LIMIT).strip() or None if value is not None else None


def _amount(value: Any) -> Decimal | None:
    """Nothing when it is zero: so the CRM shows a sum that nobody has named."""
    try:
        amount = round(Decimal(str(value)), 2)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount < 10**15 else None
