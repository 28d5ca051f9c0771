"""User fields of leads: made by crm.lead.userfield.add, stored with the item, and its scopes.

Source:
    apidocs.bitrix24.com, crm.lead.userfield.*, crm.item.* (``useOriginalUfNames``), scope;
    snapshot of 2026-08.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_fields import LEAD, Item
from deployments.sandbox.bitrix_php import mapping

_PREFIX = "UF_CRM_"
_LONGEST = 20  # with the prefix
_TYPES = ("string", "integer", "double", "boolean", "date", "datetime", "url", "money")

UserFields = dict[str, dict[str, Any]]
"""By their names with the prefix."""


def add_user_field(known: UserFields, params: Mapping[str, Any]) -> int:
    """crm.lead.userfield.add: its id.

    Raises:
        RestError: no name, an unknown type, or a name that is there already.
    """
    fields = mapping(params.get("fields", params.get("FIELDS")))
    name = re.sub(r"[^A-Z0-9_]", "", str(fields.get("FIELD_NAME") or "").upper())
    kind = str(fields.get("USER_TYPE_ID") or "")
    name = name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"
    if name == _PREFIX:
        raise RestError("ERROR_ARGUMENT", "The 'FIELD_NAME' field is not found.")
    if kind not in _TYPES:
        raise RestError("ERROR_ARGUMENT", "The 'USER_TYPE_ID' field is not found.")
    if len(name) > _LONGEST:
        raise RestError("ERROR_CORE", f"Название поля {name} слишком длинное.")
    if name in known:
        raise RestError("ERROR_CORE", f"Поле {name} для объекта CRM_LEAD уже существует.")
    number = len(known) + 1
    known[name] = {
        **{"ID": str(number), "ENTITY_ID": "CRM_LEAD", "FIELD_NAME": name, "USER_TYPE_ID": kind},
        **{"XML_ID": None, "SORT": "100", "MULTIPLE": "N", "MANDATORY": "N", "SHOW_FILTER": "N"},
    }
    return number


def list_user_fields(known: UserFields, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """crm.lead.userfield.list, filtered by exact values."""
    wanted = mapping(params.get("filter"))
    named = {key: str(value) for key, value in wanted.items() if key != "LANG"}
    return [row for row in known.values() if all(str(row.get(k)) == v for k, v in named.items())]


def user_values(known: UserFields, entity: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """The user fields that a write gives; one that is not known is dropped without a word.

    Raises:
        RestError: CRM_FIELD_ERROR_VALUE_NOT_VALID, for a value that does not fit its field.
    """
    if entity != LEAD:
        return {}
    given = mapping(params.get("fields"))
    named = {_shown_name(name, params): name for name in known}
    return {
        named[key]: _fitted(key, known[named[key]]["USER_TYPE_ID"], value)
        for key, value in given.items()
        if key in named
    }


def shown(known: UserFields, entity: int, item: Item, params: Mapping[str, Any]) -> Item:
    """An item as it is answered: its user fields by the names that were asked for."""
    plain = {name: value for name, value in item.items() if not name.startswith(_PREFIX)}
    if entity != LEAD:
        return plain
    return plain | {_shown_name(name, params): item.get(name) for name in known}


def _shown_name(name: str, params: Mapping[str, Any]) -> str:
    if str(params.get("useOriginalUfNames", "N")) in ("Y", "1", "true", "True"):
        return name
    return _camel(name)


def _camel(name: str) -> str:
    """UF_CRM_POTOK_SCORE is ufCrmPotokScore, UF_CRM_1712 is ufCrm_1712."""
    first, *rest = name.lower().split("_")
    return first + "".join(f"_{part}" if part[:1].isdigit() else part.title() for part in rest)


def _fitted(name: str, kind: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, dict | list):
        raise _wrong(name)
    if kind not in ("integer", "double"):
        return str(value)
    try:
        return int(str(value)) if kind == "integer" else float(value)
    except ValueError:
        raise _wrong(name) from None


def _wrong(name: str) -> RestError:
    return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f'Invalid value of field "{name}"')
