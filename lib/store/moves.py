"""A lead that stands elsewhere in the CRM than before: what was told of it is told there anew."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lib.store.events import CALLS, announce, event, lead_changed

_UNTELL = text(
    """
    update scores set crm_score = null, crm_band = null
    where lead_id = any(:ids) and (crm_score is not null or crm_band is not null)
    returning lead_id
    """
)
_CALLED = text("select distinct lead_id from calls where lead_id = any(:ids)")


async def tell_anew(connection: AsyncConnection, lead_ids: Collection[int]) -> None:
    """Their scores and their numbers of calls go to the lead where they stand now.

    Part of the transaction that notes where that is; a lead of which nothing was told is left.
    """
    if not lead_ids:
        return
    given = {"ids": sorted(lead_ids)}
    scored = sorted((await connection.execute(_UNTELL, given)).scalars())
    called = sorted((await connection.execute(_CALLED, given)).scalars())
    if not scored and not called:
        return
    mark = (await connection.execute(text("select pg_current_xact_id()::text"))).scalar_one()
    cause = f"moved:{mark}"
    await announce(
        connection,
        [
            *(lead_changed(lead_id, cause) for lead_id in scored),
            *(event(CALLS, f"lead:{lead_id}", {"lead_id": lead_id}, cause) for lead_id in called),
        ],
    )
