"""The door to the models over real HTTP, with the sandbox's vendors behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from deployments.llm import house_of
from deployments.llm_access import TABLE
from deployments.sandbox.app import create_app
from deployments.settings import Settings
from deployments.stack.sandbox_access import PROVIDER_KEY
from lib.gateway.llm.app import create_llm_app
from lib.gateway.llm.door import House
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from tests.sandbox_server import running

VENDORS = ("ollama", "openrouter", "groq", "anthropic")
EVERYTHING = ("*", *(f"{vendor}/*" for vendor in VENDORS))


@dataclass
class Open:
    """A door that is open.

    Attributes:
        url: its address, without ``/v1``.
        key: opens it for every model.
        sandbox: the address of the vendors.
        table: the path of its table; ``write`` changes it.
    """

    url: str
    key: str
    sandbox: str
    table: Path
    house: House
    database: Database
    http: httpx.AsyncClient
    _said: dict[str, Any] = field(default_factory=dict)

    async def ask(
        self, path: str, body: Any, *, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """Post a body with a key; "" for none."""
        secret = self.key if key is None else key
        given = {"authorization": f"Bearer {secret}"} if secret else {}
        content = body if isinstance(body, bytes) else None
        return await self.http.post(
            self.url + path,
            headers=given | {name.replace("_", "-"): value for name, value in headers.items()},
            **({"content": content} if content is not None else {"json": body}),
        )

    async def new_key(self, name: str, *names: str, **limits: Any) -> str:
        """A key for some models, or all aliases."""
        secret = await Keys(self.database).create(NewKey(name, names or ("*",), **limits))
        await self.house.keyring.read()
        return secret

    async def fail(self, vendor: str, kind: str, **fields: Any) -> None:
        """Switch a failure of a vendor on."""
        answer = await self.http.post(
            f"{self.sandbox}/control/{vendor}/failures", json={"kind": kind, **fields}
        )
        answer.raise_for_status()

    async def state(self, vendor: str) -> dict[str, Any]:
        """A vendor's counts and failures."""
        found: dict[str, Any] = (
            await self.http.get(f"{self.sandbox}/control/{vendor}/state")
        ).json()
        return found

    async def journal(self, vendor: str) -> list[dict[str, Any]]:
        """What a vendor was asked."""
        answer = await self.http.get(f"{self.sandbox}/control/{vendor}/journal")
        found: list[dict[str, Any]] = answer.json()
        return found

    async def calls(self) -> list[dict[str, Any]]:
        """The records in the database, in their order."""
        await self.house.meter.write()
        async with self.database.autocommit() as connection:
            cursor = await connection.execute("select row_to_json(c) from llm_calls c order by id")
            return [row[0] for row in await cursor.fetchall()]

    def write(self, changes: Mapping[str, Any]) -> None:
        """Change the table's sections, and have it read."""
        self._said = _merged(self._said, changes)
        self.table.write_text(yaml.safe_dump(self._said))
        assert self.house.router.shelf.look(), "the table was refused"


@asynccontextmanager
async def opened(
    dsn: str, home: Path, said: Mapping[str, Any] | None = None
) -> AsyncIterator[Open]:
    """A door over a database and a new sandbox, with the shipped table, changed.

    Args:
        dsn: of a migrated database.
        home: where its table is written.
        said: sections of the table that are different.
    """
    shipped = _merged(yaml.safe_load(TABLE.read_text()), said or {})
    table = home / "llm.yaml"
    table.write_text(yaml.safe_dump(shipped))
    async with running(create_app()) as sandbox:
        settings = Settings(
            DATABASE_URL=dsn,
            POTOK_SANDBOX=True,
            POTOK_SANDBOX_PORT=int(sandbox.rpartition(":")[2]),
            POTOK_HOME=home,
        )
        async with house_of(settings, table) as (house, _), running(create_llm_app(house)) as url:
            database = Database(dsn)
            try:
                async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
                    door = Open(url, "", sandbox, table, house, database, http, dict(shipped))
                    door.key = await door.new_key("tests", *EVERYTHING)
                    yield door
            finally:
                await database.close()


def _merged(said: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(said)
    for name, value in changes.items():
        is_section = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = {**merged[name], **value} if is_section else value
    return merged


def is_error(path: str, body: Any) -> bool:
    """Whether a body is an error in the dialect of a path."""
    error = body["error"]
    if path.startswith("/api/"):
        return isinstance(error, str) and bool(error)
    if path.startswith("/v1/messages"):
        return body["type"] == "error" and bool(error["type"] and error["message"])
    return bool(error["message"]) and "code" in error


async def until(condition: Any, within_s: float = 10.0) -> Any:
    """What an async condition gives, once that is true."""
    async with asyncio.timeout(within_s):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
    return found


__all__ = ["PROVIDER_KEY", "VENDORS", "Open", "is_error", "opened", "until"]
