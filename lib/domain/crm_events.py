"""What Bitrix24's outgoing webhook says: a form with PHP's brackets, and in it an event.

Source:
    apidocs.bitrix24.com, "Events" and the pages of onCrmLead*, onCrmTimelineComment*,
    OnVoximplantCallEnd; read 2026-11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from lib.domain.shape import clean_text, whole_number_from
from lib.errors import Rejected

MAX_FIELDS = 200
CALL_ID_LIMIT = 200

Kind = Literal["lead", "comment", "call"]

_KINDS: dict[str, Kind] = {
    "ONCRMLEADADD": "lead",
    "ONCRMLEADUPDATE": "lead",
    "ONCRMLEADDELETE": "lead",
    "ONCRMTIMELINECOMMENTADD": "comment",
    "ONVOXIMPLANTCALLEND": "call",
}
EVENTS = tuple(_KINDS)
_TOKEN = "auth[application_token]"  # noqa: S105 — the field's name


@dataclass(frozen=True, slots=True)
class EventForm:
    """The form as it came, the last value of every name; ``digest`` tells two bodies apart."""

    fields: Mapping[str, str]
    digest: str

    @property
    def token(self) -> str:
        """What the sender proves itself by; empty when it gave nothing."""
        return self.fields.get(_TOKEN, "")

    def __repr__(self) -> str:
        return f"EventForm({self.fields.get('event', '')[:40]!r})"


@dataclass(frozen=True, slots=True)
class CrmEvent:
    """One event of the portal.

    Attributes:
        name: in capitals, as ``ONCRMLEADUPDATE``.
        kind: what ``about`` is: a lead's id, a comment's id, a call's id.
        at: Unix seconds as the portal wrote them, in digits; ``0`` when it did not.
    """

    name: str
    kind: Kind
    about: str
    at: str
    digest: str


def form_from(raw: bytes) -> EventForm:
    """Read an urlencoded body.

    Raises:
        Rejected: it has more fields than any event has, or no ``event``.
    """
    try:
        pairs = parse_qsl(
            raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as exc:
        raise Rejected(f"the form has more than {MAX_FIELDS} fields") from exc
    fields = dict(pairs)
    if not fields.get("event"):
        raise Rejected("the form has no event")
    return EventForm(fields, hashlib.sha256(raw).hexdigest()[:16])


def event_from(form: EventForm) -> CrmEvent | None:
    """The event in a form; None for one of a kind that nobody here uses.

    Raises:
        Rejected: it does not say what it is about.
    """
    name = form.fields["event"].upper()
    kind = _KINDS.get(name)
    if kind is None:
        return None
    at = form.fields.get("ts", "")
    at = at if at.isascii() and at.isdigit() and len(at) <= 12 else "0"
    return CrmEvent(name, kind, _about(form.fields, kind), at, form.digest)


def _about(fields: Mapping[str, str], kind: Kind) -> str:
    if kind == "call":
        call_id = clean_text(fields.get("data[CALL_ID]", ""), CALL_ID_LIMIT).strip()
        if not call_id:
            raise Rejected("data[CALL_ID] is missing")
        return call_id
    # Of comments the vendor's page shows the second form, and portals send the first.
    number = fields.get("data[FIELDS][ID]") or fields.get("data[ID]") or ""
    found = whole_number_from(number)
    if found is None or found <= 0:
        raise Rejected("data[FIELDS][ID] is missing or no id")
    return str(found)
