"""A place in a leaky bucket that all processes of all hosts share: Prefect's global limit."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from httpx import HTTPError
from prefect import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError, rate_limit

from lib.errors import Unavailable

log = logging.getLogger(__name__)

WAIT_S = 60.0  # twice what the portal's bucket takes to run empty
AHEAD = timedelta(seconds=5)


async def wait_for_place(name: str) -> None:
    """Return when the limit has a place for one more request.

    Raises:
        Unavailable: it has none for a minute, does not exist, or Prefect is away.
    """
    try:
        await rate_limit(name, timeout_seconds=WAIT_S, strict=True)
    except TimeoutError as exc:
        await _mend(name)
        raise Unavailable(f"the limit {name} had no place for {WAIT_S:.0f} s") from exc
    except (ConcurrencySlotAcquisitionError, HTTPError) as exc:
        raise Unavailable(f"Prefect gave no place in the limit {name}") from exc


async def _mend(name: str) -> None:
    """Fill a bucket that was last used later than now: the clock was put back.

    Prefect counts what has leaked since then, which is negative: the bucket would stay closed
    until the clock is where it was.
    """
    try:
        async with get_client() as client:
            limit = await client.read_global_concurrency_limit_by_name(name)
            if limit.updated and limit.updated > datetime.now(UTC) + AHEAD:
                full = GlobalConcurrencyLimitUpdate(active_slots=limit.limit)
                await client.update_global_concurrency_limit(name, full)
                log.warning("limit.mended name=%s", name)
    except HTTPError as exc:
        log.warning("limit.not_mended name=%s kind=%s", name, type(exc).__name__)
