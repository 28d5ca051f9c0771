"""The embedded stack that is measured, with a look into both of its databases."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow, dict_row

from deployments.cli.show import ConsoleProgress
from deployments.settings import Settings, read_settings
from deployments.stack.stack import Stack
from tests.bench.load import ask_json
from tests.bench.people import People, Person
from tests.support import PORTS, free_port

LOOK_EVERY_S = 0.1
BUCKET = {"burst": 50, "per_s": 2}  # Bitrix24's documented limit

_TERMINAL = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
_ARRIVED = """
    select count(*) as n from deliveries d
    join lead_messages m on m.delivery_id = d.id join leads l on l.id = m.lead_id
    where d.id > %s and l.crm_at is not null
"""
_BUSY = """
    select (select count(*) from batches where closed_at is null)
      + (select count(*) from deliveries where state in ('received', 'failed', 'claimed')) as n
"""
_RUNS = """
    select count(*) as n from flow_run
    where state_type::text <> all(%s) and expected_start_time < now()
"""

Connection = psycopg.AsyncConnection[DictRow]


class House:
    """One stack in sandbox mode, up for as long as the block lasts.

    Args:
        home: POTOK_HOME.
        ports: by variable.
        limit: BITRIX24_LIMIT; the sandbox's own limit is on or off with it.

    Attributes:
        potok: a connection to our database.
        prefect: a connection to Prefect's.
        people: who writes.
    """

    potok: Connection
    prefect: Connection

    def __init__(self, home: Path, ports: Mapping[str, int], limit: str = "off") -> None:
        self.settings: Settings = read_settings(
            POTOK_HOME=home, POTOK_SANDBOX=True, BITRIX24_LIMIT=limit, **ports
        )
        self.limit = limit
        self.people = People()
        self._progress = ConsoleProgress()
        self.stack = Stack(self.settings, self._progress)

    async def __aenter__(self) -> Self:
        await self.stack.__aenter__()
        dsn = self.settings.database_url
        self.potok = await _connected(dsn)
        self.prefect = await _connected(dsn.rsplit("/", 1)[0] + "/prefect")
        await self.empty_portal()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in ("potok", "prefect"):
            if connection := getattr(self, name, None):
                await connection.close()
        await self.stack.__aexit__(kind, error, trace)
        self._progress.close()

    def requests_of(self, people: list[Person]) -> list[bytes]:
        """The webhook's requests of these people, one each."""
        secret = self.settings.telegram_webhook_secret
        assert secret is not None
        bot = self.settings.telegram_bot_name
        return [person.request(bot, secret.get_secret_value()) for person in people]

    async def empty_portal(self) -> None:
        """A portal without leads, whose request limit is off or has nothing used up."""
        port = self.settings.sandbox_port
        await ask_json(port, "POST", "/control/bitrix/reset")
        wanted = {"off": True} if self.limit == "off" else BUCKET
        await ask_json(port, "POST", "/control/bitrix/limit", wanted)
        if self.limit != "off":
            await self._refill_limits()

    async def portal_leads(self) -> list[dict[str, Any]]:
        """Every lead in the sandbox's portal."""
        leads: list[dict[str, Any]] = await ask_json(
            self.settings.sandbox_port, "GET", "/control/bitrix/leads"
        )
        return leads

    async def portal_state(self) -> dict[str, Any]:
        """What the sandbox's portal was asked."""
        state: dict[str, Any] = await ask_json(
            self.settings.sandbox_port, "GET", "/control/bitrix/state"
        )
        return state

    async def api(
        self, method: str, path: str, body: object = None, fine: tuple[int, ...] = ()
    ) -> Any:
        """Ask Prefect's API; ``path`` is below ``/api``."""
        port = self.settings.prefect_port
        return await ask_json(port, method, f"/api{path}", body, fine=fine)

    async def last_delivery(self) -> int:
        """The number of the newest delivery; those after it are the measure's own."""
        row = await (await self.potok.execute("select max(id) as id from deliveries")).fetchone()
        return int(row["id"] or 0) if row else 0

    async def until_in_crm(self, after: int, count: int, within_s: float) -> int:
        """Wait until so many deliveries after one are in the CRM, or the time is over.

        Returns:
            How many are there.
        """
        deadline = time.monotonic() + within_s
        while (there := await _number(self.potok, _ARRIVED, after)) < count:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(LOOK_EVERY_S)
        return there

    async def until_quiet(self, within_s: float = 60.0) -> bool:
        """Wait until nothing is in the inbox, no batch is open, and no run under way.

        Returns:
            False when the time was over before.
        """
        deadline = time.monotonic() + within_s
        while await _number(self.potok, _BUSY) or await _number(self.prefect, _RUNS, _TERMINAL):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True

    async def _refill_limits(self) -> None:
        """Forget what Prefect's shared limits have given out."""
        for limit in await self.api("POST", "/v2/concurrency_limits/filter", {}):
            body = {"active_slots": 0, "denied_slots": 0}
            await self.api("PATCH", f"/v2/concurrency_limits/{limit['id']}", body)


def new_home() -> Path:
    """A directory of its own that PostgreSQL's OS user can pass."""
    path = Path(tempfile.mkdtemp(prefix="potok-bench-"))
    path.chmod(0o711)
    return path


def free_ports() -> dict[str, int]:
    """A free port for each variable."""
    found: dict[str, int] = {}
    for name in PORTS:
        while (port := free_port()) in found.values():
            continue
        found[name] = port
    return found


async def _connected(dsn: str) -> Connection:
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row)


async def _number(connection: Connection, statement: Any, *values: Any) -> int:
    row = await (await connection.execute(statement, values)).fetchone()
    return int(row["n"]) if row else 0
