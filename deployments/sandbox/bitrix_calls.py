"""The portal's memory of telephone calls and of the activities that the CRM made of them."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

MOSCOW = timezone(timedelta(hours=3))
OWNERS = {"LEAD": 1, "DEAL": 2, "CONTACT": 3, "COMPANY": 4}
_CODES = ("200", "200", "200", "200", "200", "200", "304", "304", "603", "603-S", "486")


@dataclass(slots=True)
class PortalCall:
    """One row of the statistic, small: 100,000 of them are kept.

    Attributes:
        id: of the row; the telephony's own id is made of it.
        at: Unix seconds of its start.
        bindings: what its activity is bound to, the owner first, as (type id, id).
    """

    id: int
    at: float
    type: str = "2"
    code: str = "200"
    duration: str = "60"
    entity_type: str = ""
    entity_id: str = "0"
    phone: str = "+79160000000"
    bindings: tuple[tuple[int, int], ...] = ()

    @property
    def has_activity(self) -> bool:
        """Whether the CRM knows of it: only of a call that is bound to something."""
        return bool(self.bindings)

    @property
    def call_id(self) -> str:
        """The telephony's id."""
        return f"sandbox.{self.id}"

    @property
    def moment(self) -> str:
        """Its start, ISO 8601 in the portal's zone."""
        at = datetime.fromtimestamp(self.at, UTC).astimezone(MOSCOW)
        return at.isoformat(timespec="seconds")


class Telephony:
    """Calls by id; ids only rise. An activity has the id of its call."""

    def __init__(self, last_id: int = 0) -> None:
        self.calls: dict[int, PortalCall] = {}
        self.ids: list[int] = []  # rising, and beside them their calls
        self.rows: list[PortalCall] = []
        self.last_id = last_id

    def put(self, wish: Mapping[str, Any]) -> PortalCall:
        """Store a call, in the vendor's words; with a known ``ID`` it is changed.

        Args:
            wish: fields of the statistic, all of them optional, and ``bindings`` of the activity
                as ``[["LEAD", 7], …]``, the owner first; without them it is bound to the entity.

        Raises:
            ValueError: a value has the wrong shape.
        """
        number = int(wish.get("ID") or self.last_id + 1)
        before = self.calls.get(number)
        call = before or PortalCall(number, datetime.now(UTC).timestamp())
        if "CALL_START_DATE" in wish:
            call.at = datetime.fromisoformat(str(wish["CALL_START_DATE"])).timestamp()
        for name, field in _FIELDS.items():
            if name in wish:
                setattr(call, field, str(wish[name]))
        if "bindings" in wish:
            call.bindings = tuple((OWNERS[str(kind)], int(one)) for kind, one in wish["bindings"])
        elif "CRM_ENTITY_ID" in wish and call.entity_type in OWNERS:
            call.bindings = ((OWNERS[call.entity_type], int(call.entity_id)),)
        self._keep(call)
        return call

    def forget(self, number: int) -> None:
        """Delete a call."""
        place = bisect_left(self.ids, number)
        del self.calls[number], self.ids[place], self.rows[place]

    def make(self, wish: Mapping[str, Any]) -> int:
        """Make many calls.

        Args:
            wish: ``{"make": 100000, "seed": 1, "leads": [ids], "contacts": [ids], "days": 90}``:
                two thirds are of leads, the rest of contacts, half of whose are of a lead too.

        Returns:
            How many.

        Raises:
            ValueError: a value has the wrong shape.
        """
        dice = random.Random(int(wish.get("seed", 1)))
        leads = [int(one) for one in wish.get("leads") or [1]]
        contacts = [int(one) for one in wish.get("contacts") or [1]]
        number = int(wish["make"])
        apart_s = float(wish.get("days", 90)) * 86_400 / max(1, number)
        first_at = datetime.now(UTC).timestamp() - apart_s * number
        for index in range(number):
            self._keep(self._some(dice, leads, contacts, first_at + apart_s * index))
        return number

    def _some(
        self, dice: random.Random, leads: list[int], contacts: list[int], at: float
    ) -> PortalCall:
        lead, contact = dice.choice(leads), dice.choice(contacts)
        code = dice.choice(_CODES)
        call = PortalCall(
            self.last_id + 1,
            at,
            type=dice.choice("1123"),
            code=code,
            duration=str(dice.randint(5, 900) if code == "200" else 0),
            phone=f"+7916{dice.randint(0, 9_999_999):07}",
        )
        if dice.random() < 2 / 3:
            call.entity_type, call.entity_id = "LEAD", str(lead)
            call.bindings = ((OWNERS["LEAD"], lead),)
        else:
            call.entity_type, call.entity_id = "CONTACT", str(contact)
            both = ((OWNERS["LEAD"], lead), (OWNERS["CONTACT"], contact))
            call.bindings = dice.choice([both, both[::-1], both[1:], both[1:]])
        return call

    def _keep(self, call: PortalCall) -> None:
        if call.id not in self.calls:
            place = bisect_left(self.ids, call.id)
            self.ids.insert(place, call.id)
            self.rows.insert(place, call)
        self.calls[call.id] = call
        self.last_id = max(self.last_id, call.id)


_FIELDS = {
    "CALL_TYPE": "type",
    "CALL_FAILED_CODE": "code",
    "CALL_DURATION": "duration",
    "CRM_ENTITY_TYPE": "entity_type",
    "CRM_ENTITY_ID": "entity_id",
    "PHONE_NUMBER": "phone",
}


def statistic_row(call: PortalCall) -> dict[str, Any]:
    """A call as voximplant.statistic.get writes it: strings and nulls."""
    return {
        "ID": str(call.id),
        "PORTAL_USER_ID": "1",
        "PORTAL_NUMBER": "reg1",
        "PHONE_NUMBER": call.phone,
        "CALL_ID": call.call_id,
        "EXTERNAL_CALL_ID": None,
        "CALL_CATEGORY": "external",
        "CALL_LOG": None,
        "CALL_DURATION": call.duration,
        "CALL_START_DATE": call.moment,
        "CALL_RECORD_URL": "",
        "CALL_VOTE": None,
        "COST": "0.0000",
        "COST_CURRENCY": "RUR",
        "CALL_FAILED_CODE": call.code,
        "CALL_FAILED_REASON": "",
        "CRM_ENTITY_TYPE": call.entity_type,
        "CRM_ENTITY_ID": call.entity_id,
        "CRM_ACTIVITY_ID": str(call.id) if call.has_activity else "0",
        "REST_APP_ID": None,
        "REST_APP_NAME": None,
        "TRANSCRIPT_ID": None,
        "TRANSCRIPT_PENDING": "N",
        "SESSION_ID": None,
        "REDIAL_ATTEMPT": None,
        "COMMENT": None,
        "RECORD_DURATION": None,
        "RECORD_FILE_ID": None,
        "CALL_TYPE": call.type,
    }


def activity_row(call: PortalCall) -> dict[str, Any]:
    """The activity of a call as crm.activity.list writes it; it does not tell its bindings."""
    owner_type, owner_id = call.bindings[0]
    incoming = call.type in ("2", "3")
    return {
        "ID": str(call.id),
        "OWNER_ID": str(owner_id),
        "OWNER_TYPE_ID": str(owner_type),
        "TYPE_ID": "2",
        "PROVIDER_ID": "VOXIMPLANT_CALL",
        "PROVIDER_TYPE_ID": "CALL",
        "ASSOCIATED_ENTITY_ID": "0",
        "SUBJECT": "Входящий звонок" if incoming else "Исходящий звонок",
        "CREATED": call.moment,
        "START_TIME": call.moment,
        "COMPLETED": "Y",
        "RESPONSIBLE_ID": "1",
        "DIRECTION": "1" if incoming else "2",
        "ORIGIN_ID": f"VI_{call.call_id}",
        "SETTINGS": [],
    }


def with_activity(calls: Iterable[PortalCall]) -> list[PortalCall]:
    """Those that the CRM has an activity of."""
    return [call for call in calls if call.has_activity]
