"""The speech service, open over a database of its own, and somebody who is called back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from deployments.serving import Beside
from deployments.settings import Settings
from deployments.speech import callback_secret, office_of
from lib.gateway.speech.app import create_speech_app
from lib.router.keyring import Keyring
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from tests.sandbox_server import running
from tests.speech.conftest import DATA


@dataclass
class Caller:
    """A server that jobs call back, and that has recordings.

    Attributes:
        statuses: what it answers next; 200 when there is none.
        heard: the bodies of callbacks whose signature was good.
    """

    url: str = ""
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    tried: list[dict[str, str]] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def hook(self, request: Request) -> Response:
        """Take a callback."""
        body = await request.body()
        headers = dict(request.headers)
        self.tried.append(headers)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.heard.append(Webhook(self.secret).verify(body, headers))
        return Response(status_code=status)


@dataclass
class Service:
    """The open service."""

    http: httpx.AsyncClient
    caller: Caller
    settings: Settings
    database: Database
    keyring: Keyring
    beside: Sequence[Beside]
    working: list[asyncio.Task[None]] = field(default_factory=list)

    async def new_key(self, *names: str) -> str:
        """A key that the doors know already."""
        secret = await Keys(self.database).create(NewKey(f"tests-{uuid4()}", names))
        await self.keyring.read()
        return secret

    def work(self) -> None:
        """Do jobs from now on."""
        self.working = [asyncio.create_task(each()) for each in self.beside]

    async def rest(self) -> None:
        """Do no job from now on; the doors stay open."""
        for task in self.working:
            task.cancel()
        await asyncio.gather(*self.working, return_exceptions=True)

    async def submit(self, name: str | None = "ru_0039.ogg", **fields: Any) -> httpx.Response:
        """Submit a recording of the tests' data, or none."""
        headers = fields.pop("headers", {})
        files = {"file": (name, (DATA / name).read_bytes())} if name else None
        return await self.http.post("/v1/jobs", data=fields, files=files, headers=headers)

    async def ended(self, job_id: str, within_s: float = 180.0) -> dict[str, Any]:
        """A job, once it has ended."""
        async with asyncio.timeout(within_s):
            while True:
                job = (await self.http.get(f"/v1/jobs/{job_id}")).json()
                if job["status"] in ("succeeded", "failed"):
                    return dict(job)
                await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="module")
async def opened(database: str, home: Path) -> AsyncIterator[Service]:
    """The doors; the model is loaded once for a module."""
    caller = Caller()
    recording = Route("/recording.ogg", lambda _: FileResponse(DATA / "ru_0039.ogg"))
    hook = Route("/hook", caller.hook, methods=["POST"])
    async with running(Starlette(routes=[hook, recording])) as caller.url:
        settings = Settings(
            DATABASE_URL=database,
            POTOK_HOME=home,
            SPEECH_MODEL="base",
            SPEECH_ALLOWED_HOSTS=caller.url.removeprefix("http://"),
        )
        caller.secret = callback_secret(settings)
        async with (
            office_of(settings) as (office, beside),
            running(create_speech_app(office)) as url,
        ):
            db = Database(database)
            async with httpx.AsyncClient(base_url=url, timeout=60) as http:
                yield Service(http, caller, settings, db, office.keyring, beside)
            await db.close()


@pytest.fixture
async def service(opened: Service) -> AsyncIterator[Service]:
    """The service at work, and a caller who has heard nothing yet."""
    for kept in (opened.caller.statuses, opened.caller.tried, opened.caller.heard):
        kept.clear()
    opened.http.headers["authorization"] = f"Bearer {await opened.new_key('speech')}"
    opened.work()
    yield opened
    await opened.rest()
