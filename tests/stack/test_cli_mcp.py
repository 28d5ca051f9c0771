"""``potok mcp``: tokens in a real database, and when nothing is there to serve."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.cli.doctor import OFF, examine
from deployments.flow_map import flow_map
from deployments.settings import Settings, read_settings
from deployments.stack.stack import Stack
from lib.domain.llm.keys import key_hash
from lib.domain.mcp_scopes import scopes_in
from lib.store.engine import Database
from lib.store.llm.keys import Keys
from tests.stack.conftest import Potok, run_potok
from tests.support import free_port


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    found = Database(database, pool_size=1)
    async with found.autocommit() as connection:
        await connection.execute("truncate llm_keys cascade")
    yield found
    await found.close()


async def create(potok: Potok, db: Database, *words: str) -> str:
    """A new token."""
    code, said, _ = await potok("mcp", "token", "create", *words, DATABASE_URL=db.dsn)
    assert code == 0
    secret = said.split()[1]
    assert said.count(secret) == 1
    return secret


async def test_a_token_is_made_and_shown_once(potok: Potok, db: Database) -> None:
    secret = await create(potok, db, "cursor", "--scopes", "run, read", "--expires", "30d")
    [key] = await Keys(db).living()
    assert key.hash == key_hash(secret)
    assert (key.name, key.rpm) == ("mcp:cursor", 120)
    assert scopes_in(key.names) == {"read", "run"}
    assert key.expires_at is not None
    assert key.expires_at - datetime.now(UTC) > timedelta(days=29)


async def test_what_is_made_without_a_wish_may_read(potok: Potok, db: Database) -> None:
    await create(potok, db, "Клод")
    [key] = await Keys(db).living()
    assert scopes_in(key.names) == {"read"}


async def test_tokens_are_listed_and_revoked_beside_the_keys_of_models(
    potok: Potok, db: Database
) -> None:
    url = {"DATABASE_URL": db.dsn}
    first = await create(potok, db, "cursor")
    second = await create(potok, db, "claude", "--scopes", "admin")
    await potok("llm", "key", "create", "--tool", "cursor", **url)
    code, said, _ = await potok("mcp", "token", "list", **url)
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == ["token", "claude", "cursor"]
    assert second[12:] not in said
    code, said, _ = await potok("mcp", "token", "revoke", "cursor", **url)
    assert (code, said) == (0, f"cursor ({first[:12]}…) opens nothing more\n")
    code, said, _ = await potok("mcp", "token", "revoke", second[:12], **url)
    assert code == 0
    _, said, _ = await potok("mcp", "token", "list", "--json", **url)
    listed = json.loads(said)
    assert [(each["name"], each["state"]) for each in listed] == [
        ("claude", "revoked"),
        ("cursor", "revoked"),
    ]
    assert all("hash" not in each for each in listed)
    assert [key.name for key in await Keys(db).living()] == ["cursor"]
    await create(potok, db, "cursor")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["token", "create", "a", "--scopes", "write"], "scopes are read, run, admin"),
        (["token", "create", "a", "--scopes", ""], "scopes are read, run, admin"),
        (["token", "create", " "], "1 to 60 characters"),
        (["token", "create", "a", "--expires", "soon"], "a span of time is"),
        (["token", "revoke", "nobody"], "no living token named 'nobody'"),
        (["--scopes", "all"], "scopes are read, run, admin"),
    ],
)
async def test_what_is_wrong_is_told(
    potok: Potok, db: Database, words: list[str], told: str
) -> None:
    code, _, wrong = await potok("mcp", *words, DATABASE_URL=db.dsn)
    assert code == 1
    assert told in wrong


async def test_two_living_tokens_have_two_names(potok: Potok, db: Database) -> None:
    await create(potok, db, "cursor")
    code, _, wrong = await potok("mcp", "token", "create", "cursor", DATABASE_URL=db.dsn)
    assert code == 1
    assert "`potok mcp token revoke cursor` ends it" in wrong


async def test_by_stdio_nothing_but_the_protocol_is_printed(tmp_path: Path) -> None:
    code, said, wrong = await run_potok(tmp_path, "mcp")
    assert (code, said) == (1, "")
    assert "run `potok up` first" in wrong


async def test_doctor_says_that_it_is_off(database: str, tmp_path: Path) -> None:
    settings = read_settings(
        POTOK_HOME=tmp_path, DATABASE_URL=database, POTOK_PREFECT_PORT=free_port()
    )
    [found] = [each for each in await examine(settings) if each.name == "MCP"]
    assert found.state == OFF


@pytest.mark.parametrize("on", [True, False])
def test_the_stack_starts_it_only_where_it_is_switched_on(tmp_path: Path, on: bool) -> None:
    stack = Stack(Settings(POTOK_HOME=tmp_path, POTOK_MCP=on))
    assert ("mcp" in {step.name for step in stack.steps()}) is on


def test_where_it_listens_and_by_what_names_it_may_be_called() -> None:
    settings = Settings(MCP_HOST="10.66.66.1", MCP_ALLOWED_HOSTS="a.ru, b.ru")
    assert settings.mcp_url == "http://10.66.66.1:3900"
    assert settings.mcp_hosts == ["10.66.66.1", "a.ru", "b.ru"]
    everywhere = Settings(MCP_HOST="0.0.0.0", POTOK_MCP_PORT=4000)
    assert (everywhere.mcp_url, everywhere.mcp_hosts) == ("http://127.0.0.1:4000", [])


def test_every_flow_is_on_the_map() -> None:
    flows = flow_map()
    assert {flow.name for flow in flows} >= {"leads/main", "weekly/main"}
    assert all(flow.trigger and flow.takes and flow.gives and flow.summary for flow in flows)
