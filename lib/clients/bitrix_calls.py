"""Calls in Bitrix24: the telephony's statistic, what activities are bound to, and a lead's count.

From request to request the statistic is walked by ``>ID``, and inside one by ``start``: rows that
arrive come last, so no page shifts, and no request grows with the number of rows before it.

Source: voximplant.statistic.get, crm.activity.list, crm.activity.binding.list, crm.item.update
of b24restdocs, read 2026-11.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from lib.clients.bitrix import BATCH_LENGTH, PAGE, Bitrix, Command, EntityType, by_key
from lib.domain.shape import whole_number_from
from lib.errors import Denied, PotokError, Unavailable

T = TypeVar("T")

PAGES_A_REQUEST = 20  # of 50 rows; a request must end within 30 s, and a page may take one
ACTIVITIES_A_COMMAND = 25  # a page has 50 rows, and one of two leads comes twice
_CALL = 2  # TYPE_ID of an activity
_STATISTIC = "voximplant.statistic.get"


@dataclass(frozen=True, slots=True)
class Bound:
    """What activities are bound to.

    Attributes:
        leads: the CRM's leads by activity; one of no lead is missing.
        errors: why of some it is not known, each error once.
    """

    leads: dict[int, list[int]] = field(default_factory=dict)
    errors: list[PotokError] = field(default_factory=list)


class BitrixCalls:
    """Calls of one portal.

    Args:
        bitrix: the connection.
        field: the user field of a lead that gets its number of calls.
    """

    def __init__(self, bitrix: Bitrix, field: str = "UF_CRM_POTOK_CALLS") -> None:
        self._bitrix = bitrix
        self._field = field

    async def pages(
        self, after: int = 0, *, until: int | None = None, since: datetime | None = None
    ) -> AsyncIterator[list[Any]]:
        """Walk through the statistic by rising id, up to 1,000 rows at a time.

        Args:
            after: rows with greater ids.
            until: no rows with ids greater than this.
            since: no rows of calls that began before.

        Yields:
            Rows as they came; all that came before an error are yielded before it is raised.

        Raises:
            Denied: no right to see the statistic.
            PotokError: as in `Bitrix.batch`.
        """
        conditions = _conditions(until, since)
        pages = 1  # most walks end with the first
        while True:
            answer = await self._bitrix.batch(_page_commands(after, conditions, pages), write=False)
            rows: list[Any] = []
            for number in range(pages):
                if str(number) in answer.errors:
                    break
                rows.extend(by_key(answer.results[str(number)]).values())
            if rows:
                yield rows
            for error in answer.errors.values():
                raise error
            left = _whole(answer.totals.get("0")) - len(rows)
            if left <= 0:
                return
            last = max((_id(row) for row in rows), default=0)
            if last <= after:
                raise Unavailable(f"Bitrix24 {_STATISTIC}: pages do not advance")
            after, pages = last, min(PAGES_A_REQUEST, -(-left // PAGE))

    async def bound(self, activity_ids: Sequence[int]) -> Bound:
        """The leads that these activities are bound to.

        A list does not tell bindings, but it finds by them: most activities are of no lead, or
        are a lead's own. Only the others are asked for, one by one, fifty in a request.

        Raises:
            Unavailable: the portal is away, or asks for a pause.
        """
        found = Bound()
        chunks = _chunks(activity_ids, ACTIVITIES_A_COMMAND)
        lists = await self._read([_of_leads(n, ids) for n, ids in enumerate(chunks)], found)
        rows = [row for result in lists.values() for row in map(by_key, by_key(result).values())]
        times = Counter(map(_id, rows))  # one of two leads comes twice
        for row in rows:
            owner = _whole(row.get("OWNER_ID"))
            if _whole(row.get("OWNER_TYPE_ID")) == EntityType.LEAD and times[_id(row)] == 1:
                found.leads[_id(row)] = [owner]
        commands = [
            Command(str(activity), "crm.activity.binding.list", {"activityId": activity})
            for activity in sorted(times.keys() - found.leads.keys())
        ]
        for key, result in (await self._read(commands, found)).items():
            bindings = map(by_key, by_key(result).values())
            leads = [
                _whole(each.get("entityId"))
                for each in bindings
                if _whole(each.get("entityTypeId")) == EntityType.LEAD
            ]
            found.leads[int(key)] = [lead for lead in leads if lead]
        return found

    async def tell(self, counts: Mapping[int, int]) -> dict[int, PotokError | None]:
        """Write into leads how many calls they have; a portal without the field ignores it.

        Args:
            counts: calls by the CRM's lead, up to 50 of them.

        Returns:
            By lead: None where it is done, else why not; NotFound: it is gone there.

        Raises:
            PotokError: the whole request failed; safe to repeat.
        """
        commands = [
            Command(
                str(crm_id),
                "crm.item.update",
                {
                    "entityTypeId": int(EntityType.LEAD),
                    "id": crm_id,
                    "fields": {self._field: calls},
                    "useOriginalUfNames": "Y",
                },
            )
            for crm_id, calls in counts.items()
        ]
        answer = await self._bitrix.batch(commands, write=True)
        return {crm_id: answer.errors.get(str(crm_id)) for crm_id in counts}

    async def _read(self, commands: Sequence[Command], found: Bound) -> dict[str, Any]:
        """The answers; what is refused is noted, and what passes is raised."""
        results: dict[str, Any] = {}
        for chunk in _chunks(commands, BATCH_LENGTH):
            try:
                answer = await self._bitrix.batch(chunk, write=False)
            except Denied as exc:
                found.errors.append(exc)
                return results
            results |= answer.results
            known = {str(error) for error in found.errors}
            for text, error in {str(e): e for e in answer.errors.values()}.items():
                if isinstance(error, Unavailable):
                    raise error
                if text not in known:
                    found.errors.append(error)
        return results


def _conditions(until: int | None, since: datetime | None) -> dict[str, Any]:
    given = {"<=ID": until, ">=CALL_START_DATE": since.isoformat() if since else None}
    return {key: value for key, value in given.items() if value is not None}


def _page_commands(after: int, conditions: Mapping[str, Any], pages: int) -> list[Command]:
    return [
        Command(
            str(number),
            _STATISTIC,
            {
                "FILTER": {">ID": after, **conditions},
                "SORT": "ID",
                "ORDER": "ASC",
                "start": number * PAGE,
            },
        )
        for number in range(pages)
    ]


def _of_leads(number: int, activity_ids: Sequence[int]) -> Command:
    """Those of these activities that are bound to a lead."""
    return Command(
        str(number),
        "crm.activity.list",
        {
            "filter": {
                "@ID": list(activity_ids),
                "TYPE_ID": _CALL,
                "BINDINGS": [{"OWNER_TYPE_ID": int(EntityType.LEAD)}],
            },
            "order": {"ID": "ASC"},
            "select": ["ID", "OWNER_ID", "OWNER_TYPE_ID"],
        },
    )


def _id(row: Any) -> int:
    return _whole(by_key(row).get("ID"))


def _whole(value: object) -> int:
    return whole_number_from(value) or 0


def _chunks(things: Sequence[T], size: int) -> Iterator[list[T]]:
    left = iter(things)
    while chunk := list(islice(left, size)):
        yield chunk
