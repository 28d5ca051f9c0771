"""The whole real stack as tests see it, with the sandbox as every vendor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psutil
import psycopg
from psycopg.rows import dict_row

from deployments.sandbox.telegram_people import user_id_of
from deployments.settings import ROOT, Settings
from deployments.stack.sandbox_access import BITRIX_PATH, WEBHOOK_SECRET
from deployments.stack.stack import Stack
from lib.store.claims import CLAIM_LOCK

T = TypeVar("T")

ON_DUTY = "on-duty"  # the person who is told of failures
ALERT_CHAT = user_id_of(ON_DUTY)
WITHIN_S = 90.0  # everything here takes seconds; on a machine that is busy, many
LOOK_EVERY_S = 0.1

AWAY = (psycopg.OperationalError, httpx.TransportError)
OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


async def eventually(condition: Callable[[], Awaitable[T]], within_s: float = WITHIN_S) -> T:
    """What the condition gives once that is true; a part that is away counts as not yet.

    Raises:
        AssertionError: it was not true within the deadline; the last answer is in the message.
    """
    deadline = time.monotonic() + within_s
    while True:
        last: object
        try:
            if found := await condition():
                return found
            last = found
        except AWAY as exc:
            last = exc
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s, but {last!r}"
        await asyncio.sleep(LOOK_EVERY_S)


@dataclass
class LiveStack:
    """A stack that runs, and the ways to look at it and to hurt it."""

    settings: Settings
    stack: Stack
    http: httpx.AsyncClient

    async def post(self, update: dict[str, Any], door: str | None = None) -> str:
        """Post an update as Telegram does: ``accepted``, ``duplicate`` or ``ignored``.

        Args:
            update: the update.
            door: the address of another gateway than the stack's own.

        Raises:
            httpx.HTTPError: it was not answered 200; Telegram would send it again.
        """
        headers = {"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET}
        url = f"{door or self.settings.gateway_url}/hooks/telegram/main"
        answer = await self.http.post(url, json=update, headers=headers)
        answer.raise_for_status()
        return str(answer.json()["result"])

    async def control(self, path: str, body: Any = None, method: str = "") -> Any:
        """The sandbox's control surface: a GET, with a body a POST."""
        return await self._ask(f"{self.settings.sandbox_url}/control/{path}", body, method)

    async def prefect(self, path: str, body: Any = None, method: str = "") -> Any:
        """Prefect's API: a GET, with a body a POST."""
        return await self._ask(f"{self.settings.prefect_api_url}{path}", body, method)

    async def bitrix(self, method: str, **params: Any) -> Any:
        """What the portal's REST gives, as another program of the company would ask it."""
        url = f"{self.settings.sandbox_url}{BITRIX_PATH}{method}"
        return (await self._ask(url, params))["result"]

    async def potok(self, *words: str) -> str:
        """What the command line says, run as a person would run it."""
        command = (sys.executable, "-m", "deployments.cli.app", *words)
        env = self.settings.child_env()
        ran = await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT, stdout=PIPE)
        async with asyncio.timeout(WITHIN_S):
            said, _ = await ran.communicate()
        assert ran.returncode == 0, said.decode()
        return said.decode()

    async def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """The rows that a statement gives in our database, on a connection of its own."""
        dsn = self.settings.database_url
        async with (
            await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5) as link,
            link.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(sql, params)
            return await cursor.fetchall() if cursor.description else []

    async def deliveries(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """These deliveries, in the order they came, each with its flow run."""
        return await self.rows(
            "select d.*, b.flow_run_id from deliveries d left join batches b on b.id = d.batch_id "
            "where d.key = any(%s) order by d.id",
            list(keys),
        )

    async def settled(
        self, keys: Sequence[str], within_s: float = WITHIN_S
    ) -> list[dict[str, Any]]:
        """These deliveries, once each of them is done or dead."""

        async def all_settled() -> list[dict[str, Any]] | None:
            found = await self.deliveries(keys)
            is_over = all(row["state"] in ("done", "dead") for row in found)
            return found if is_over and len(found) == len(set(keys)) else None

        return await eventually(all_settled, within_s)

    async def worked_off(self, deployment: str) -> None:
        """Wait until nothing is left to do for a deployment; what was given up is not."""
        waits = "deployment = %s and state in ('received', 'claimed', 'failed')"

        async def none_waits() -> bool:
            return not await self.rows(f"select id from deliveries where {waits}", deployment)

        await eventually(none_waits)

    async def crm(self, *origins: str) -> list[dict[str, Any]]:
        """The CRM's leads of these origins, each with its timeline; all of them without any."""
        leads = await self.control("bitrix/leads")
        wanted = set(origins)
        return [lead for lead in leads if not wanted or lead["originId"] in wanted]

    async def sent(self) -> list[str]:
        """What the person on duty was told."""
        found = await self.control(f"telegram/sent?chat_id={ALERT_CHAT}")
        return [each["message"].get("text", "") for each in found["messages"]]

    async def run_ended(self, run_id: UUID, within_s: float = WITHIN_S) -> dict[str, Any]:
        """A flow run as Prefect's API shows it, once it has ended."""

        async def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = await self.prefect(f"/flow_runs/{run_id}")
            return run if run["state_type"] in OVER else None

        return await eventually(ended, within_s)

    async def artifacts(self, run_id: UUID) -> list[Any]:
        """The tables that a run has left."""
        wanted = {"flow_run_id": {"any_": [str(run_id)]}, "type": {"any_": ["table"]}}
        body = {"artifacts": wanted}
        found = await self.prefect("/artifacts/filter", body)
        return [json.loads(each["data"]) for each in found]

    async def pause(self, *deployments: str, paused: bool = True) -> None:
        """Pause deployments, as the switch in the UI does: their events wait, and their schedules.

        What was read of them before is forgotten after a few seconds.
        """
        for name in deployments:
            found = await self.prefect(f"/deployments/name/{name}")
            await self.prefect(f"/deployments/{found['id']}", {"paused": paused}, "PATCH")

    @asynccontextmanager
    async def claims_held(self) -> AsyncIterator[None]:
        """Let messages gather for as long as the block lasts: one batch takes them all."""
        link = await psycopg.AsyncConnection.connect(self.settings.database_url)
        async with link:
            await link.execute("select pg_advisory_xact_lock(%s)", (CLAIM_LOCK,))
            yield

    async def be_honest(self) -> None:
        """Switch every failure of the sandbox off."""
        await self.control("bitrix/failures", method="DELETE")
        await self.control("bitrix/limit", {"off": True})
        await self.control("llm/reset", {})

    async def be_well(self, within_s: float = WITHIN_S) -> None:
        """Wait until every part answers and the worker takes runs."""
        ready = self.stack.supervisor.run_dir / "worker.ready"

        async def all_well() -> bool:
            answers = [
                await self.http.get(f"{self.settings.gateway_url}/readyz"),
                await self.http.get(f"{self.settings.sandbox_url}/healthz"),
            ]
            return ready.exists() and all(answer.status_code == 200 for answer in answers)

        await eventually(all_well, within_s)

    def pid(self, name: str) -> int:
        """The pid of a program of the stack; another one after it was restarted."""
        return self.stack.supervisor.pid(name)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a program a signal; should it die, the supervisor starts it again."""
        os.kill(self.pid(name), number)

    def of_worker(self) -> list[psutil.Process]:
        """The worker's processes: the template of the spares, and the spares."""
        worker = self.pid("worker")
        others = (pid for pid in psutil.pids() if pid != worker and _session(pid) == worker)
        return [psutil.Process(pid) for pid in others if psutil.pid_exists(pid)]

    async def process_of(self, batch_id: UUID) -> psutil.Process:
        """The process of the run that has a batch: the one at the other end of its lock."""

        async def holding() -> psutil.Process | None:
            found = await self.rows(
                "select a.client_port as port from pg_locks l join pg_stat_activity a using (pid) "
                "where l.locktype = 'advisory' and (l.classid::bigint << 32) | l.objid::bigint "
                "= hashtextextended(%s, 0)",
                str(batch_id),
            )
            for process in self.of_worker():
                ports = {link.laddr.port for link in process.net_connections("tcp")}
                if found and found[0]["port"] in ports:
                    return process
            return None

        return await eventually(holding)

    async def _ask(self, url: str, body: Any, method: str = "") -> Any:
        verb = method or ("GET" if body is None else "POST")
        answer = await self.http.request(verb, url, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
