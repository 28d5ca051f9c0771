"""Runs that are shown as alive and have no process: their worker died, or its whole machine.

The dispatcher sees to the messages of such a run. This sees to the run, whatever it did: also one
of a schedule, and one that had settled its messages and could not say any more that it was done.
"""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from lib.clients.prefect_api import PrefectApi
from lib.errors import PotokError
from lib.store.engine import Database
from lib.store.lives import living

log = logging.getLogger("potok.reaper")

EVERY_S = 5.0
GRACE_S = 15.0  # a process takes its lock again within seconds when PostgreSQL was restarted


class Reaper:
    """Ends the runs of a pool whose process is gone.

    Args:
        prefect: where runs are shown.
        database: where the living ones hold their locks.
        pool: whose runs.
    """

    def __init__(self, prefect: PrefectApi, database: Database, pool: str) -> None:
        self._prefect = prefect
        self._database = database
        self._pool = pool
        self._gone_since: dict[UUID, float] = {}

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except PotokError as exc:
                log.warning("reaper.paused reason=%s", exc)
            except Exception:  # a bug here must not end the worker
                log.exception("reaper.failed")

    async def look(self) -> None:
        """End those that have been without a process for the grace time.

        Raises:
            PotokError: Prefect or the database is away.
        """
        now = asyncio.get_running_loop().time()
        shown = await self._prefect.unfinished(self._pool)
        alive = await living(self._database, list(shown))
        gone = {run_id: state for run_id, state in shown.items() if run_id not in alive}
        self._gone_since = {run_id: self._gone_since.get(run_id, now) for run_id in gone}
        for run_id, state in gone.items():
            is_cancelled = state == "CANCELLING"  # wanted, so it has waited long enough
            if not is_cancelled and now - self._gone_since[run_id] < GRACE_S:
                continue
            ended = "CANCELLED" if is_cancelled else "CRASHED"
            await self._prefect.end(run_id, ended, "The process of this run is gone.")
            log.warning("run.reaped run_id=%s was=%s", run_id, state)
