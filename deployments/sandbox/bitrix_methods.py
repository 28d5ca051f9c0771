"""The REST methods of the portal, by their names in lower case.

Source:
    apidocs.bitrix24.com, crm.item.*, crm.lead.*, crm.duplicate.findbycomm,
    crm.timeline.comment.*, crm.status.list; snapshot of 2026-08.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_fields import (
    CAMEL,
    FM_TYPES,
    KINDS,
    LEAD,
    STATUSES,
    TYPE_NAMES,
    Item,
    first_value,
    item_multifields,
    item_values,
    lead_multifields,
    lead_row,
    lead_values,
)
from deployments.sandbox.bitrix_filter import conditions_from, found_items, ordered, page_of
from deployments.sandbox.bitrix_php import array, mapping
from deployments.sandbox.bitrix_portal import Portal
from deployments.sandbox.bitrix_userfields import shown, user_values

Params = Mapping[str, Any]


@dataclass(slots=True)
class Answer:
    """What a method gives; ``total`` and ``next`` only for lists."""

    result: Any
    total: int | None = None
    next: int | None = None


def item_add(portal: Portal, params: Params) -> Answer:
    """crm.item.add."""
    entity = _entity(params)
    fields = mapping(_needed(params, "fields"))
    values = item_values(entity, fields) | user_values(portal.user_fields, entity, params)
    item = portal.add(entity, values, item_multifields(fields.get("fm")))
    return Answer({"item": shown(portal.user_fields, entity, item, params)})


def item_get(portal: Portal, params: Params) -> Answer:
    """crm.item.get."""
    entity = _entity(params)
    item = _item(portal, entity, params)
    return Answer({"item": shown(portal.user_fields, entity, item, params)})


def item_update(portal: Portal, params: Params) -> Answer:
    """crm.item.update."""
    entity = _entity(params)
    item = _item(portal, entity, params)
    fields = mapping(_needed(params, "fields"))
    values = item_values(entity, fields) | user_values(portal.user_fields, entity, params)
    portal.update(entity, item, values, item_multifields(fields.get("fm")))
    return Answer({"item": shown(portal.user_fields, entity, item, params)})


def item_delete(portal: Portal, params: Params) -> Answer:
    """crm.item.delete."""
    entity = _entity(params)
    portal.delete(entity, _item(portal, entity, params))
    return Answer([])


def item_list(portal: Portal, params: Params) -> Answer:
    """crm.item.list."""
    entity = _entity(params)
    kinds = KINDS[entity]
    conditions = conditions_from(mapping(params.get("filter")), kinds)
    items = found_items(portal, entity, conditions)
    items = ordered(items, mapping(params.get("order")), kinds)
    page, total, following = page_of(items, params.get("start", 0))
    select = [str(name) for name in mapping(params.get("select")).values()]
    rows = [_selected(shown(portal.user_fields, entity, item, params), select) for item in page]
    return Answer({"items": rows}, total, following)


def lead_add(portal: Portal, params: Params) -> Answer:
    """crm.lead.add."""
    fields = _lead_fields(params)
    return Answer(portal.add(LEAD, lead_values(fields), lead_multifields(fields))["id"])


def lead_get(portal: Portal, params: Params) -> Answer:
    """crm.lead.get."""
    return Answer(lead_row(_lead(portal, params)))


def lead_update(portal: Portal, params: Params) -> Answer:
    """crm.lead.update."""
    fields = _lead_fields(params)
    lead = _lead(portal, params)
    portal.update(LEAD, lead, lead_values(fields), lead_multifields(fields))
    return Answer(True)


def lead_list(portal: Portal, params: Params) -> Answer:
    """crm.lead.list: unknown filter fields are ignored, multifields come only when named."""
    raw = mapping(params.get("filter"))
    wanted = {}
    for key, value in raw.items():
        field = key.lstrip("!=%<>@")
        if field in CAMEL:
            wanted[key.removesuffix(field) + CAMEL[field]] = value
    leads = found_items(portal, LEAD, conditions_from(wanted, KINDS[LEAD]))
    for kind in ("PHONE", "EMAIL"):
        if kind in raw:
            leads = [lead for lead in leads if any(e["value"] == raw[kind] for e in lead["fm"])]
    order = {CAMEL.get(name, name): value for name, value in mapping(params.get("order")).items()}
    page, total, following = page_of(ordered(leads, order, KINDS[LEAD]), params.get("start", 0))
    select = [str(name) for name in mapping(params.get("select")).values()]
    return Answer([_lead_selected(lead, select) for lead in page], total, following)


def find_by_comm(portal: Portal, params: Params) -> Answer:
    """crm.duplicate.findbycomm: at most 20 values in, 20 ids of a type out."""
    kind = str(params.get("type", "")).upper()
    values = list(mapping(params.get("values")).values())[:20]
    if kind not in ("PHONE", "EMAIL"):
        raise RestError("ERROR_CORE", "Communication type is not defined.")
    if not values:
        raise RestError("ERROR_CORE", "Communication values is not defined.")
    only = str(params.get("entity_type") or "").upper()
    found: dict[str, list[int]] = {}
    for entity, name in TYPE_NAMES.items():
        if only in ("", name) and (numbers := portal.with_contact(entity, kind, values)):
            found[name] = numbers[:20]
            if len(numbers) >= 20:
                break
    return Answer(array(found))


def comment_add(portal: Portal, params: Params) -> Answer:
    """crm.timeline.comment.add: only the lower-case key ``fields`` is read."""
    fields = mapping(_needed(params, "fields"))
    owner = _owner(portal, fields)
    text = str(fields.get("COMMENT") or "")
    if not text.strip():
        raise RestError("INVALID_ARG_VALUE", "Empty comment message")
    return Answer(portal.comment(*owner, text))


def comment_list(portal: Portal, params: Params) -> Answer:
    """crm.timeline.comment.list, of one owner."""
    owner = _owner(portal, mapping(_needed(params, "filter")))
    order = {k.upper(): str(v).upper() for k, v in mapping(params.get("order")).items()}
    rows = list(portal.comments.get(owner, ()))
    if "DESC" in (order.get("ID"), order.get("CREATED")):
        rows.reverse()
    named = {"ENTITY_ID": str(owner[1]), "ENTITY_TYPE": TYPE_NAMES[owner[0]].lower()}
    page, total, following = page_of(rows, params.get("start", 0))
    return Answer([{**row, **named} for row in page], total, following)


def status_list(portal: Portal, params: Params) -> Answer:
    """crm.status.list, of the lead's stages and sources."""
    wanted = mapping(params.get("filter")).get("ENTITY_ID")
    named = [(list_id, name) for list_id, names in STATUSES.items() for name in names]
    rows = [
        {"ID": str(number), "ENTITY_ID": list_id, "STATUS_ID": name, "NAME": name.title()}
        for number, (list_id, name) in enumerate(named, start=1)
        if wanted in (None, list_id)
    ]
    return Answer(rows, len(rows))


def profile(portal: Portal, params: Params) -> Answer:
    """profile: who the webhook's user is."""
    return Answer({"ID": portal.user, "ADMIN": True, "NAME": "Песочница", "LAST_NAME": "Портал"})


def server_time(portal: Portal, params: Params) -> Answer:
    """server.time."""
    return Answer(portal.now())


METHODS: dict[str, Callable[[Portal, Params], Answer]] = {
    "crm.item.add": item_add,
    "crm.item.get": item_get,
    "crm.item.update": item_update,
    "crm.item.delete": item_delete,
    "crm.item.list": item_list,
    "crm.lead.add": lead_add,
    "crm.lead.get": lead_get,
    "crm.lead.update": lead_update,
    "crm.lead.list": lead_list,
    "crm.duplicate.findbycomm": find_by_comm,
    "crm.timeline.comment.add": comment_add,
    "crm.timeline.comment.list": comment_list,
    "crm.status.list": status_list,
    "profile": profile,
    "server.time": server_time,
}


def _needed(params: Params, name: str) -> Any:
    if name not in params:
        raise RestError("100", f"Could not find value for parameter {{{name}}}")
    return params[name]


def _number(value: object) -> int:
    return int(str(value)) if str(value).isascii() and str(value).isdigit() else 0


def _entity(params: Params) -> int:
    entity = _number(_needed(params, "entityTypeId"))
    if entity not in KINDS:
        raise RestError("NOT_FOUND", "Смарт-процесс не найден")
    return entity


def _item(portal: Portal, entity: int, params: Params) -> Item:
    item = portal.items[entity].get(_number(_needed(params, "id")))
    if item is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return item


def _lead(portal: Portal, params: Params) -> Item:
    number = _number(params.get("id", params.get("ID")))
    if number == 0:
        raise RestError("", "ID is not defined or invalid")
    lead = portal.items[LEAD].get(number)
    if lead is None:
        raise RestError("", "Not found")
    return lead


def _lead_fields(params: Params) -> dict[str, Any]:
    return mapping(params.get("fields", params.get("FIELDS")))


def _owner(portal: Portal, fields: Params) -> tuple[int, int]:
    named = str(fields.get("ENTITY_TYPE", "")).upper()
    entity = next((number for number, name in TYPE_NAMES.items() if name == named), 0)
    owner_id = _number(fields.get("ENTITY_ID"))
    if owner_id not in portal.items.get(entity, {}):
        raise RestError("OWNER_NOT_FOUND", "Владелец не найден")
    return entity, owner_id


def _selected(item: Item, select: list[str]) -> Item:
    if not select or "*" in select:
        return item
    row = {"id": item["id"], **{name: item[name] for name in select if name in item}}
    row.pop("fm", None)
    for name in {"phone", "email"}.intersection(select):
        row[name] = first_value(item, name.upper())
    return row


def _lead_selected(lead: Item, select: list[str]) -> dict[str, Any]:
    row = lead_row(lead, tuple(kind for kind in FM_TYPES if kind in select))
    if not select or "*" in select:
        return row
    return {name: value for name, value in row.items() if name in select or name == "ID"}
