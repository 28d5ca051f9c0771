"""Methods for who sets a portal up or follows its events: rights, user fields, one comment.

Source:
    apidocs.bitrix24.com, scope, crm.lead.userfield.*, crm.timeline.comment.get; 2026-08.
"""

from __future__ import annotations

from collections.abc import Callable

from deployments.sandbox.bitrix_faults import RestError
from deployments.sandbox.bitrix_fields import TYPE_NAMES
from deployments.sandbox.bitrix_methods import Answer, Params
from deployments.sandbox.bitrix_portal import Portal
from deployments.sandbox.bitrix_userfields import add_user_field, list_user_fields


def comment_get(portal: Portal, params: Params) -> Answer:
    """crm.timeline.comment.get."""
    wanted = str(params.get("id", ""))
    for (entity, owner_id), rows in portal.comments.items():
        for row in rows:
            if row["ID"] == wanted:
                named = {"ENTITY_ID": str(owner_id), "ENTITY_TYPE": TYPE_NAMES[entity].lower()}
                return Answer(row | named)
    raise RestError("", "Not found.")


def scope(portal: Portal, params: Params) -> Answer:
    """scope: what the webhook may do."""
    return Answer(list(portal.scopes))


def userfield_add(portal: Portal, params: Params) -> Answer:
    """crm.lead.userfield.add."""
    return Answer(add_user_field(portal.user_fields, params))


def userfield_list(portal: Portal, params: Params) -> Answer:
    """crm.lead.userfield.list."""
    rows = list_user_fields(portal.user_fields, params)
    return Answer(rows, len(rows))


ADMIN_METHODS: dict[str, Callable[[Portal, Params], Answer]] = {
    "crm.timeline.comment.get": comment_get,
    "crm.lead.userfield.add": userfield_add,
    "crm.lead.userfield.list": userfield_list,
    "scope": scope,
}
