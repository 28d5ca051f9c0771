"""The portal's memory: items with their indexes, comments, limit, failures, journal."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from deployments.sandbox.bitrix_calls import Telephony
from deployments.sandbox.bitrix_events import Outgoing
from deployments.sandbox.bitrix_faults import Failures, LeakyBucket
from deployments.sandbox.bitrix_fields import COMPANY, CONTACT, LEAD, Item, blank_item
from deployments.sandbox.bitrix_userfields import UserFields

MOSCOW = timezone(timedelta(hours=3))
_RECENT = 20
_STAGE_SEMANTICS = {"JUNK": "F", "CONVERTED": "S"}


class Portal:
    """One Bitrix24 portal with one incoming webhook, in memory.

    Args:
        user: the webhook's user id, as it stands in the URL.
        code: the webhook's code, as it stands in the URL.
        burst: size of the request bucket; None: no limit.
        per_s: how much of the bucket drains in a second.
        clock: seconds for the bucket, monotonic.
        first_id: of the first lead, contact and company.
    """

    def __init__(
        self,
        user: str = "1",
        code: str = "sandbox-webhook",
        *,
        burst: float | None = 50,
        per_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        first_id: int = 1,
    ) -> None:
        self.user = user
        self.code = code
        self._first_limit = (burst, per_s)
        self._clock = clock
        self._first_id = first_id
        self.reset()

    def reset(self, *, keep_ids: bool = False) -> None:
        """Forget everything: data, failures, journal; the limit is again as at the start.

        Args:
            keep_ids: ids go on where they were: who noted one down must not meet another item.
                What an administrator has set up, user fields and the handler of events, stays.
        """
        self.items: dict[int, dict[int, Item]] = {LEAD: {}, CONTACT: {}, COMPANY: {}}
        self.comments: dict[tuple[int, int], list[dict[str, Any]]] = {}
        self.failures = Failures()
        self.requests: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.recent: dict[str, deque[dict[str, Any]]] = {}
        self._by_origin: dict[tuple[int, str], list[int]] = {}
        self._by_contact: dict[tuple[int, str, str], list[int]] = {}
        if not keep_ids:
            self.user_fields: UserFields = {}
            self.outgoing = Outgoing()
            self.scopes = ("crm", "telephony")
            self._last_id = dict.fromkeys((LEAD, CONTACT, COMPANY), self._first_id - 1)
            self._last_value_id = 0
            self._last_comment_id = 0
            self.telephony = Telephony(self._first_id - 1)
        self.telephony = Telephony(self.telephony.last_id)
        self.limit(*self._first_limit)

    def limit(self, burst: float | None, per_s: float = 2.0) -> None:
        """Set the request limit; ``burst=None`` switches it off."""
        self.bucket = None if burst is None else LeakyBucket(burst, per_s, self._clock)

    def add(self, entity: int, values: dict[str, Any], fm: list[dict[str, Any]]) -> Item:
        """Store a new item; nothing is unique but its id."""
        item = blank_item(entity)
        number = self._last_id[entity] = self._last_id[entity] + 1
        now = self.now()
        item.update(id=number, createdTime=now, movedTime=now, createdBy=1, movedBy=1)
        if entity != CONTACT:
            item["title"] = f"{'Лид' if entity == LEAD else 'Компания'} #{number}"
        self.items[entity][number] = item
        self._change(entity, item, values, fm, now)
        self._tell_of_lead(entity, "ADD", number)
        return item

    def update(
        self, entity: int, item: Item, values: dict[str, Any], fm: list[dict[str, Any]]
    ) -> None:
        """Change an item.

        A multifield with a known id is changed, with an empty value deleted; others are added.
        """
        self._unindex(entity, item)
        self._change(entity, item, values, fm, self.now())
        self._tell_of_lead(entity, "UPDATE", item["id"])

    def delete(self, entity: int, item: Item) -> None:
        """Forget an item and its comments."""
        self._unindex(entity, item)
        del self.items[entity][item["id"]]
        self.comments.pop((entity, item["id"]), None)
        self._tell_of_lead(entity, "DELETE", item["id"])

    def with_origin(self, entity: int, origins: Iterable[object]) -> list[Item]:
        """Items that carry one of these origin ids, by rising id."""
        found = {n for origin in origins for n in self._by_origin.get((entity, _fold(origin)), ())}
        return [self.items[entity][number] for number in sorted(found)]

    def with_contact(self, entity: int, kind: str, values: Iterable[object]) -> list[int]:
        """Ids of items with one of these phones or e-mails, by rising id."""
        keys = {(entity, kind, contact_key(kind, value)) for value in values}
        return sorted({n for key in keys if key[2] for n in self._by_contact.get(key, ())})

    def announce(self, event: str, **fields: object) -> None:
        """Tell the handler of events, if there is one that wants it; an event may be lost."""
        if not self.outgoing.wants(event):
            return
        if self.failures.strike("lose_event", event.lower()):
            self.outgoing.counts["lost"] += 1
        else:
            self.outgoing.tell(event, fields)

    def comment(self, entity: int, owner_id: int, text: str) -> int:
        """Store a timeline comment.

        Returns:
            Its id.
        """
        self._last_comment_id += 1
        row = {"ID": str(self._last_comment_id), "CREATED": self.now(), "AUTHOR_ID": "1"}
        self.comments.setdefault((entity, owner_id), []).append({**row, "COMMENT": text})
        self.announce("ONCRMTIMELINECOMMENTADD", ID=self._last_comment_id)
        return self._last_comment_id

    def note(self, method: str, *, status: int, error: str | None, commands: int) -> None:
        """Write one HTTP request into the journal."""
        self.requests[method] += 1
        if error is not None:
            self.errors[error] += 1
        row = {"at": self.now(), "status": status, "error": error, "commands": commands}
        self.recent.setdefault(method, deque(maxlen=_RECENT)).append(row)

    @staticmethod
    def now() -> str:
        """The portal's time, ISO 8601 with offset, to the second."""
        return datetime.now(UTC).astimezone(MOSCOW).isoformat(timespec="seconds")

    def _tell_of_lead(self, entity: int, what: str, number: int) -> None:
        if entity == LEAD:
            self.announce(f"ONCRMLEAD{what}", ID=number)

    def _change(
        self, entity: int, item: Item, values: dict[str, Any], fm: list[dict[str, Any]], now: str
    ) -> None:
        if values.get("stageId", item.get("stageId")) != item.get("stageId"):
            item.update(movedTime=now, movedBy=1)
        item.update(values)
        item.update(updatedTime=now, updatedBy=1)
        if "stageId" in item:
            item["stageSemanticId"] = _STAGE_SEMANTICS.get(item["stageId"], "P")
        known = {entry["id"]: entry for entry in item["fm"]}
        for entry in fm:
            number = entry["id"]
            if number not in known:
                number = self._last_value_id = self._last_value_id + 1
            known[number] = {**entry, "id": number}
        item["fm"] = [entry for entry in known.values() if entry["value"].strip()]
        kinds = {entry["typeId"] for entry in item["fm"]}
        item["hasPhone"] = "Y" if "PHONE" in kinds else "N"
        item["hasEmail"] = "Y" if "EMAIL" in kinds else "N"
        if item["originId"]:
            key = (entity, _fold(item["originId"]))
            self._by_origin.setdefault(key, []).append(item["id"])
        for contact in _contacts(entity, item):
            self._by_contact.setdefault(contact, []).append(item["id"])

    def _unindex(self, entity: int, item: Item) -> None:
        if item["originId"]:
            self._by_origin[entity, _fold(item["originId"])].remove(item["id"])
        for contact in _contacts(entity, item):
            self._by_contact[contact].remove(item["id"])


def contact_key(kind: str, value: object) -> str:
    """What the duplicate search compares: a phone's digits (8… is 7…), an e-mail in lower case."""
    text = str(value)
    if kind == "EMAIL":
        return text.strip().lower()
    digits = re.sub(r"\D", "", text)
    return f"7{digits[1:]}" if len(digits) == 11 and digits[0] == "8" else digits


def _contacts(entity: int, item: Item) -> set[tuple[int, str, str]]:
    return {
        (entity, entry["typeId"], contact_key(entry["typeId"], entry["value"]))
        for entry in item["fm"]
        if entry["typeId"] in ("PHONE", "EMAIL")
    }


def _fold(value: object) -> str:
    return str(value).casefold()
