"""Leads in Bitrix24: looking up what is there, and writing what is not, fifty commands a request.

Source: crm.item.*, crm.duplicate.findbycomm, crm.timeline.comment.* of b24restdocs, 2026-08.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib.clients.bitrix import BATCH_LENGTH, Bitrix, Command, EntityType, by_key
from lib.clients.bitrix_batch import chunks, items_of
from lib.domain.lead_texts import comment_text, lead_comment, lead_title
from lib.domain.leads import LeadState
from lib.domain.placement import Filing, Known, Placement, is_behind
from lib.errors import PotokError

ORIGINATOR = "potok"
ORIGINS_A_COMMAND = 25  # a page has 50 rows, and the portal may hold an origin twice


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one lead: its id in the CRM, or the error.

    Attributes:
        commented: refs of the words that are there now.
        unsaid: why the other words are not; the lead itself is there.
    """

    crm_id: int | None = None
    commented: tuple[str, ...] = ()
    unsaid: Mapping[str, PotokError] = field(default_factory=dict)
    error: PotokError | None = None


class BitrixLeads:
    """Leads of one portal.

    Args:
        bitrix: the connection.
        source_id: SOURCE_ID of new leads, as in the portal's list of sources.
        assigned_by_id: who is responsible for new leads; None: the portal decides.
    """

    def __init__(
        self, bitrix: Bitrix, source_id: str = "WEB", assigned_by_id: int | None = None
    ) -> None:
        self._bitrix = bitrix
        self._fixed: dict[str, Any] = {"originatorId": ORIGINATOR, "sourceId": source_id}
        if assigned_by_id is not None:
            self._fixed["assignedById"] = assigned_by_id

    async def find(self, filings: Sequence[Filing]) -> dict[str, Known | PotokError]:
        """What the portal has on each of these leads, by origin.

        Raises:
            PotokError: a whole request failed.
        """
        new = [f for f in filings if f.lead.crm_id is None]
        commands = [*_origin_commands(new), *(c for f in new for c in _contact_commands(f.lead))]
        commands += [c for f in filings for c in _detail_commands(f, f.lead.crm_id)]
        results, errors = await self._read(commands)
        open_ids = await self._open_ids({i for key in results for i in _ids(results[key], "LEAD")})
        own_ids = _own_ids(results)
        first = [(f, _known(f, results, own_ids, open_ids)) for f in new]
        details = [
            command
            for f, known in first
            for command in _detail_commands(f, _first(known.own_ids), _first(known.open_ids))
        ]
        more, wrong = await self._read(details)
        results, failed = results | more, _by_origin(new, errors | wrong)
        return {
            f.lead.origin: failed.get(f.lead.origin) or _known(f, results, own_ids, open_ids)
            for f in filings
        }

    async def place(self, placements: Sequence[Placement]) -> dict[str, Placed]:
        """Carry placements out, by origin; one that the portal refuses fails alone.

        Raises:
            AnswerLost: some of it may have happened: `find` before it is tried again.
            PotokError: a whole request failed, and what was before it is done.
        """
        commands = [c for p in placements for c in self._commands(p)]
        results, errors = {}, {}
        for chunk in chunks(commands, BATCH_LENGTH):
            answer = await self._bitrix.batch(chunk, write=True)
            results.update(answer.results)
            errors.update(answer.errors)
        return {p.filing.lead.origin: _placed(p, results, errors) for p in placements}

    def _commands(self, placement: Placement) -> Iterator[Command]:
        lead = placement.filing.lead
        lead_type = int(EntityType.LEAD)
        if placement.action == "add":
            links = {"contactId": placement.contact_id, "companyId": placement.company_id}
            fields = self._fixed | fields_from(lead) | {k: v for k, v in links.items() if v}
            fields["comments"] = lead_comment(placement.filing.words)
            params = {"entityTypeId": lead_type, "fields": fields | {"originId": lead.origin}}
            yield Command(f"lead|{lead.origin}", "crm.item.add", params)
        elif placement.action in ("update", "adopt"):
            params = {
                "entityTypeId": lead_type,
                "id": placement.crm_id,
                "fields": fields_from(lead, placement.contacts),
            }
            yield Command(f"lead|{lead.origin}", "crm.item.update", params)
        for words in placement.comments:
            note = {
                "ENTITY_ID": placement.crm_id,
                "ENTITY_TYPE": "lead",
                "COMMENT": comment_text(words),
            }
            yield Command(f"words|{words.ref}", "crm.timeline.comment.add", {"fields": note})

    async def _read(
        self, commands: Sequence[Command]
    ) -> tuple[dict[str, Any], dict[str, PotokError]]:
        results: dict[str, Any] = {}
        errors: dict[str, PotokError] = {}
        for chunk in chunks(commands, BATCH_LENGTH):
            answer = await self._bitrix.batch(chunk, write=False)
            results.update(answer.results)
            errors.update(answer.errors)
        return results, errors

    async def _open_ids(self, lead_ids: set[int]) -> set[int]:
        """Those of these leads that are still being worked on."""
        commands = [
            Command(
                f"open|{number}",
                "crm.item.list",
                {
                    "entityTypeId": int(EntityType.LEAD),
                    "filter": {"@id": chunk},
                    "select": ["id", "stageSemanticId"],
                    "start": -1,
                },
            )
            for number, chunk in enumerate(chunks(sorted(lead_ids), BATCH_LENGTH))
        ]
        results, errors = await self._read(commands)
        for error in errors.values():
            raise error
        items = [item for result in results.values() for item in items_of(result)]
        return {int(i["id"]) for i in items if i.get("stageSemanticId") not in ("S", "F")}


def fields_from(lead: LeadState, contacts: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A lead's fields as crm.item.* names them; what is not known is left out.

    Args:
        lead: the lead as it is here.
        contacts: what the lead there has: a phone or e-mail that is given again is appended again.
    """
    fields: dict[str, Any] = {
        "title": lead_title(lead),
        "name": lead.name,
        "companyTitle": lead.company,
        "sourceDescription": lead.origin,
        "opportunity": str(lead.amount) if lead.amount is not None else None,
        "currencyId": lead.currency,
        "isManualOpportunity": "Y" if lead.amount is not None else None,
    }
    fields["fm"] = [
        {"typeId": kind, "valueType": "WORK", "value": value}
        for kind, value in (("PHONE", lead.phone), ("EMAIL", lead.email))
        if value and value not in contacts
    ]
    return {name: value for name, value in fields.items() if value}


def _origin_commands(new: Sequence[Filing]) -> Iterator[Command]:
    """Leads that may be there already, after a lost answer."""
    for number, chunk in enumerate(chunks(new, ORIGINS_A_COMMAND)):
        origins = [filing.lead.origin for filing in chunk]
        params = {
            "entityTypeId": int(EntityType.LEAD),
            "filter": {"originatorId": ORIGINATOR, "@originId": origins},
            "select": ["id", "originId"],
            "order": {"id": "ASC"},
            "start": -1,
        }
        yield Command(f"origins|{number}", "crm.item.list", params)


def _contact_commands(lead: LeadState) -> Iterator[Command]:
    for kind, value in (("PHONE", lead.phone), ("EMAIL", lead.email)):
        if value:
            params = {"type": kind, "values": [value]}
            yield Command(f"{kind}|{lead.origin}", "crm.duplicate.findbycomm", params)


def _detail_commands(
    filing: Filing, own_id: int | None, open_id: int | None = None
) -> Iterator[Command]:
    """What the lead there has: its fields, where they are ours to change, and its timeline.

    Args:
        filing: our lead.
        own_id: it, there; None when it is not there.
        open_id: a foreign lead that it would be linked to.
    """
    lead, crm_id = filing.lead, own_id or open_id
    if own_id is not None and (lead.crm_id is None or is_behind(lead)):
        params = {"entityTypeId": int(EntityType.LEAD), "id": own_id}
        yield Command(f"own|{lead.origin}", "crm.item.get", params)
    # Of a lead that we do not know to be there, an older copy of our database may have said more.
    is_new = lead.crm_id is None
    if crm_id is not None and (is_new or any(w.in_crm == "tried" for w in filing.words)):
        notes: dict[str, Any] = {
            "filter": {"ENTITY_ID": crm_id, "ENTITY_TYPE": "lead"},
            "order": {"ID": "DESC"},
            "select": ["ID", "COMMENT"],
        }
        yield Command(f"timeline|{lead.origin}", "crm.timeline.comment.list", notes)


def _by_origin(new: Sequence[Filing], errors: Mapping[str, PotokError]) -> dict[str, PotokError]:
    """Whose lookup failed; without the one by origin an add could double any of its leads."""
    failed: dict[str, PotokError] = {}
    for number, chunk in enumerate(chunks(new, ORIGINS_A_COMMAND)):
        if error := errors.get(f"origins|{number}"):
            failed |= dict.fromkeys((filing.lead.origin for filing in chunk), error)
    return {key.partition("|")[2]: error for key, error in errors.items()} | failed


def _own_ids(results: Mapping[str, Any]) -> dict[str, list[int]]:
    own: dict[str, list[int]] = defaultdict(list)
    for key, result in results.items():
        if key.startswith("origins|"):
            for item in items_of(result):
                own[str(item["originId"])].append(int(item["id"]))
    return own


def _known(
    filing: Filing,
    results: Mapping[str, Any],
    own_ids: Mapping[str, list[int]],
    open_ids: set[int],
) -> Known:
    """What the answers say about one lead."""
    origin = filing.lead.origin
    item = by_key(by_key(results.get(f"own|{origin}")).get("item"))
    matches = [results.get(f"{kind}|{origin}") for kind in ("PHONE", "EMAIL")]
    leads = sorted({i for m in matches for i in _ids(m, "LEAD")} & open_ids)
    contacts = [i for m in matches for i in _ids(m, "CONTACT")]
    companies = [i for m in matches for i in _ids(m, "COMPANY")]
    notes = by_key(results.get(f"timeline|{origin}")).values()
    said = " ".join([str(item.get("comments")), *(str(by_key(n).get("COMMENT")) for n in notes)])
    return Known(
        own_ids=tuple(own_ids.get(origin, ())),
        open_ids=tuple(leads),
        contact_id=contacts[0] if contacts else None,
        company_id=companies[0] if companies else None,
        contacts=frozenset(
            str(by_key(entry).get("value")) for entry in by_key(item.get("fm")).values()
        ),
        commented=frozenset(w.ref for w in filing.words if f"[{w.mark}]" in said),
    )


def _placed(
    placement: Placement, results: Mapping[str, Any], errors: Mapping[str, PotokError]
) -> Placed:
    key = f"lead|{placement.filing.lead.origin}"
    if key in errors:
        return Placed(error=errors[key])
    crm_id = placement.crm_id
    done = [w.ref for w in placement.comments if f"words|{w.ref}" in results]
    if placement.action == "add":
        crm_id = int(by_key(by_key(results[key]).get("item"))["id"])
        done = [w.ref for w in placement.filing.words]
    done += [w.ref for w in placement.filing.words if w not in placement.comments]
    keys = {w.ref: f"words|{w.ref}" for w in placement.comments}
    unsaid = {ref: errors[key] for ref, key in keys.items() if key in errors}
    return Placed(crm_id, tuple(dict.fromkeys(done)), unsaid)


def _first(ids: Sequence[int]) -> int | None:
    return ids[0] if ids else None


def _ids(match: Any, kind: str) -> list[int]:
    return [int(i) for i in by_key(by_key(match).get(kind)).values()]
