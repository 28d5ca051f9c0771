"""Fields of leads, contacts and companies, in both dialects of the API.

``crm.item.*`` speaks camelCase with numbers; ``crm.lead.*`` speaks UPPER_SNAKE with strings.
Unknown fields are dropped without a word, as the vendor does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_php import mapping

LEAD, CONTACT, COMPANY = 1, 3, 4
TYPE_NAMES = {LEAD: "LEAD", CONTACT: "CONTACT", COMPANY: "COMPANY"}
FM_TYPES = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
STATUSES = {
    "STATUS": ("NEW", "IN_PROCESS", "PROCESSED", "JUNK", "CONVERTED"),
    "SOURCE": (
        *("CALL", "EMAIL", "WEB", "ADVERTISING", "PARTNER", "RECOMMENDATION", "TRADE_SHOW"),
        *("WEBFORM", "CALLBACK", "RC_GENERATOR", "STORE", "OTHER"),
    ),
}

_PERSON = "honorific name secondName lastName birthdate post"
_COMMON = (
    "sourceId sourceDescription comments originatorId originId "
    "utmSource utmMedium utmCampaign utmContent utmTerm"
)
_TEXTS = {
    LEAD: f"title {_PERSON} companyTitle stageId statusDescription currencyId {_COMMON}",
    CONTACT: f"{_PERSON} typeId {_COMMON}",
    COMPANY: f"title typeId industry currencyId {_COMMON}",
}
_WHOLE = ("assignedById", "companyId", "contactId", "webformId")
_READ_ONLY = {
    "id": "whole",
    "createdBy": "whole",
    "updatedBy": "whole",
    "movedBy": "whole",
    "createdTime": "time",
    "updatedTime": "time",
    "movedTime": "time",
    "stageSemanticId": "text",
    "hasPhone": "flag",
    "hasEmail": "flag",
}
_WRITABLE: dict[int, dict[str, str]] = {
    entity: {
        **dict.fromkeys(texts.split(), "text"),
        **dict.fromkeys(_WHOLE, "whole"),
        "opened": "flag",
        "isManualOpportunity": "flag",
        "opportunity": "number",
    }
    for entity, texts in _TEXTS.items()
}
KINDS = {entity: {**fields, **_READ_ONLY} for entity, fields in _WRITABLE.items()}
_OWN_NAMES = {
    "stageId": "STATUS_ID",
    "stageSemanticId": "STATUS_SEMANTIC_ID",
    "createdTime": "DATE_CREATE",
    "updatedTime": "DATE_MODIFY",
    "createdBy": "CREATED_BY_ID",
    "updatedBy": "MODIFY_BY_ID",
    "movedBy": "MOVED_BY_ID",
}
_UPPER = {
    name: _OWN_NAMES.get(name) or re.sub(r"(?=[A-Z])", "_", name).upper() for name in KINDS[LEAD]
}
CAMEL = {upper: name for name, upper in _UPPER.items()}

Item = dict[str, Any]


def blank_item(entity: int) -> Item:
    """An item with every field empty."""
    item: Item = dict.fromkeys(KINDS[entity])
    item.update(opened="N", isManualOpportunity="N", opportunity=0, assignedById=1, fm=[])
    if entity == LEAD:
        item.update(stageId="NEW", currencyId="RUB")
    return item


def item_values(entity: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Take the known writable camelCase fields, each in its own type.

    Raises:
        RestError: CRM_FIELD_ERROR_VALUE_NOT_VALID, for a value that does not fit its field.
    """
    kinds = _WRITABLE[entity]
    return {
        name: _fitted(name, kinds[name], value) for name, value in fields.items() if name in kinds
    }


def item_multifields(raw: object) -> list[dict[str, Any]]:
    """Read ``fm`` of crm.item.*: typeId, valueType, value, and id for an existing one."""
    return [
        _multifield(
            str(entry.get("typeId", "")),
            entry.get("valueType"),
            entry.get("value"),
            entry.get("id"),
        )
        for entry in map(mapping, mapping(raw).values())
        if entry.get("typeId") in FM_TYPES
    ]


def lead_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Take the known UPPER_SNAKE fields of crm.lead.*, as camelCase."""
    named = {CAMEL[name]: value for name, value in fields.items() if name in CAMEL}
    return item_values(LEAD, named)


def lead_multifields(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read PHONE, EMAIL … of crm.lead.*: VALUE, VALUE_TYPE, and ID for an existing one."""
    return [
        _multifield(kind, entry.get("VALUE_TYPE"), entry.get("VALUE"), entry.get("ID"))
        for kind in FM_TYPES
        for entry in map(mapping, mapping(fields.get(kind)).values())
    ]


def lead_row(item: Item, multifields: tuple[str, ...] = FM_TYPES) -> dict[str, Any]:
    """Write an item the way crm.lead.get does: UPPER_SNAKE, scalars as strings or null."""
    row: dict[str, Any] = {
        upper: f"{item[name]:.2f}" if name == "opportunity" else _text_or_null(item[name])
        for name, upper in _UPPER.items()
    }
    for entry in item["fm"]:
        if (kind := entry["typeId"]) in multifields:
            value = {"ID": str(entry["id"]), "VALUE_TYPE": entry["valueType"]}
            value |= {"VALUE": entry["value"], "TYPE_ID": kind}
            row.setdefault(kind, []).append(value)
    return row


def first_value(item: Item, kind: str) -> str | None:
    """The first phone or e-mail of an item, None when it has none."""
    return next((entry["value"] for entry in item["fm"] if entry["typeId"] == kind), None)


def _multifield(kind: str, value_type: object, value: object, known_id: object) -> dict[str, Any]:
    entry = {"typeId": kind, "valueType": str(value_type or "WORK"), "value": str(value or "")}
    return {"id": int(str(known_id)) if str(known_id or "").isdigit() else None, **entry}


def _fitted(name: str, kind: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        raise _wrong(name)
    if kind == "flag":
        return "Y" if value in (True, 1, "1", "Y", "y") else "N"
    if value is None or value == "":
        return 0 if kind == "number" else None
    if kind == "text":
        text = str(value)
        list_id = {"stageId": "STATUS", "sourceId": "SOURCE"}.get(name)
        if list_id and text not in STATUSES[list_id]:
            raise _wrong(name)
        return text
    try:
        number = float(value)
        return int(number) if kind == "whole" or number.is_integer() else round(number, 2)
    except (ValueError, OverflowError, TypeError):
        raise _wrong(name) from None


def _wrong(name: str) -> RestError:
    return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f'Invalid value of field "{name}"')


def _text_or_null(value: object) -> str | None:
    return None if value is None else str(value)
