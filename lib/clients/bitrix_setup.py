"""What a portal needs before our flows can use it: rights, and user fields of leads.

Source: scope, crm.lead.userfield.* of b24restdocs, 2026-08.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lib.clients.bitrix import Bitrix, by_key

SCOPES = ("crm", "telephony")
SCORE_FIELD, BAND_FIELD = "UF_CRM_POTOK_SCORE", "UF_CRM_POTOK_BAND"
CALLS_FIELD = "UF_CRM_POTOK_CALLS"
_PREFIX = "UF_CRM_"


@dataclass(frozen=True, slots=True)
class UserField:
    """A user field of leads: its name with the prefix, its type, what people read beside it."""

    name: str
    kind: Literal["string", "integer"]
    label: str


class BitrixSetup:
    """Setting up one portal."""

    def __init__(self, bitrix: Bitrix) -> None:
        self._bitrix = bitrix

    async def lacking_scopes(self) -> list[str]:
        """The rights that the webhook should have and has not."""
        given = {
            str(s).lower() for s in by_key(await self._bitrix.call("scope", write=False)).values()
        }
        return [scope for scope in SCOPES if scope not in given]

    async def ensure_user_fields(self, wanted: Sequence[UserField]) -> list[str]:
        """Make those that are not there; safe to repeat, also after a lost answer.

        Returns:
            The names of those that were made.

        Raises:
            PotokError: the portal refuses one, or is away.
        """
        known = await self._names()
        missing = [field for field in wanted if field.name not in known]
        for field in missing:
            fields = {
                "FIELD_NAME": field.name.removeprefix(_PREFIX),
                "USER_TYPE_ID": field.kind,
                "LABEL": field.label,
                "EDIT_FORM_LABEL": {"ru": field.label},
                "LIST_COLUMN_LABEL": {"ru": field.label},
                "SHOW_FILTER": "Y",
            }
            await self._bitrix.call("crm.lead.userfield.add", {"fields": fields}, write=True)
        return [field.name for field in missing]

    async def _names(self) -> set[str]:
        """Of all pages: a portal may have more than fifty."""
        names: set[str] = set()
        while True:
            params = {"order": {"ID": "ASC"}, "start": len(names)}
            rows = by_key(
                await self._bitrix.call("crm.lead.userfield.list", params, write=False)
            ).values()
            new = {str(by_key(row).get("FIELD_NAME")) for row in rows} - names
            names |= new
            if len(new) < 50:
                return names
