"""The gate of the MCP server: who comes in, how often, from where, and with how much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp.exceptions import ToolError
from mcp import MCPError

from deployments.settings import Settings
from lib.gateway.mcp.gate import BODY_LIMIT_BYTES
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from tests.gateway.mcp.opened import Open, opened, refused
from tests.support import free_port

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@pytest.fixture
async def door(db: Database, tmp_path: Path) -> AsyncIterator[Open]:
    """The server, with no Prefect behind it."""
    settings = Settings(
        DATABASE_URL=db.dsn,
        POTOK_HOME=tmp_path,
        PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api",
        MCP_ALLOWED_HOSTS="potok.example.ru",
    )
    async with opened(settings) as found:
        yield found


def call(method: str, **params: Any) -> bytes:
    """A message of the protocol."""
    said = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(said).encode()


HELLO = call(
    "initialize",
    protocolVersion="2025-06-18",
    capabilities={},
    clientInfo={"name": "a client of old", "version": "1"},
)


async def asked(
    door: Open, token: str | None, body: Any = HELLO, path: str = "/mcp", **headers: str
) -> httpx.Response:
    """The answer to a plain POST."""
    bearer = {"authorization": f"Bearer {token}"} if token is not None else {}
    async with httpx.AsyncClient(timeout=30) as http:
        given = HEADERS | bearer | headers
        return await http.post(door.url + path, content=body, headers=given)


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/?session_id=1"])
async def test_without_a_good_token_nobody_comes_in(door: Open, path: str) -> None:
    for token in (None, "potok-" + "x" * 43, "-"):
        answer = await asked(door, token, path=path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="potok"'
        assert answer.json()["error"] == "invalid_api_key"


async def test_a_key_of_the_models_opens_nothing_here(door: Open) -> None:
    secret = await Keys(door.database).create(NewKey("continue", ("*",)))
    answer = await asked(door, secret)
    assert (answer.status_code, answer.json()["error"]) == (403, "model_not_allowed")
    assert "potok mcp token create" in answer.json()["error_description"]


async def test_a_revoked_token_opens_nothing_and_is_told_so(door: Open) -> None:
    token = await door.token("read")
    assert (await asked(door, token)).status_code == 200
    [key] = await Keys(door.database).living()
    assert key.last_used_at is not None
    await Keys(door.database).revoke(key.name)
    await door.keyring.read()
    answer = await asked(door, token)
    assert answer.status_code == 401
    assert "was revoked on" in answer.json()["error_description"]


@pytest.mark.parametrize("sse", [False, True])
async def test_a_token_has_its_rate_and_a_client_may_come_in_all_the_same(
    door: Open, sse: bool
) -> None:
    token = await door.token("read", rpm=3)
    async with door.client_of(token, sse=sse) as client:
        await client.call_tool("leads_search", {})  # the client itself asks for the list then
        await client.call_tool("leads_search", {})
        assert "more than 3 calls a minute; come again in" in await refused(client, "leads_search")
        with pytest.raises(MCPError, match="more than 3 calls a minute"):
            await client.list_tools()
        with pytest.raises(MCPError, match="more than 3 calls a minute"):
            await client.read_resource("potok://map")
    async with door.client_of(token, sse=sse) as client:
        assert client.is_connected()
        assert "more than 3 calls a minute" in await refused(client, "inbox")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "potok.example.ru", "origin": "https://evil.example"}, 403),
        ({"host": "potok.example.ru"}, 200),
        ({"host": "potok.example.ru", "origin": "http://potok.example.ru"}, 200),
        ({"host": "localhost:3900", "origin": "http://localhost:6274"}, 200),
    ],
)
async def test_a_page_of_somebody_else_is_refused(
    door: Open, headers: dict[str, str], status: int
) -> None:
    token = await door.token("read")
    assert (await asked(door, token, **headers)).status_code == status


async def told_its_length(door: Open, token: str, length: int) -> str:
    """What is answered to a body of this length before any of it is sent."""
    port = int(door.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ["POST /mcp HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {token}"]
    writer.write("\r\n".join([*lines, f"content-length: {length}", "", ""]).encode())
    answer = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await writer.wait_closed()
    return answer.decode()[:12]


async def test_too_much_is_refused_and_so_is_what_is_no_message(door: Open) -> None:
    token = await door.token("read")
    assert await told_its_length(door, token, BODY_LIMIT_BYTES + 1) == "HTTP/1.1 413"
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"jsonrpc": "1"}', b"[" * 100_000):
        assert (await asked(door, token, body)).status_code in (400, 422)
    many = {f"x-{number}": "1" for number in range(200)}
    assert (await asked(door, token, **many)).status_code == 431
    assert (await asked(door, token)).status_code == 200


async def test_other_paths_are_not_there_with_a_token_or_without(door: Open) -> None:
    for path in ("/", "/.well-known/oauth-protected-resource", "/mcp/../x", "/messages", "/usage"):
        assert (await asked(door, None, path=path)).status_code == 404
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{door.url}/healthz")).json() == {"status": "ok"}


@pytest.mark.parametrize("sse", [False, True])
async def test_a_tool_of_another_scope_is_not_listed_and_refused_by_name(
    door: Open, sse: bool
) -> None:
    tools = {
        "read": {"flow_run", "flow_runs", "leads_search", "inbox", "transcription"},
        "run": {"cancel", "retry", "transcribe"},
        "admin": {"inbox_retry"},
    }
    needs = {
        "flow_run": {"run_id": "7" * 32},
        "cancel": {"run_id": "7" * 32},
        "retry": {"run_id": "7" * 32},
        "transcription": {"job_id": "7" * 32},
        "inbox_retry": {"key": "no such"},
    }
    for scopes in (("read",), ("run",), ("read", "run"), ("admin",)):
        may = set().union(*(tools[scope] for scope in scopes))
        if scopes == ("admin",):
            may = set().union(*tools.values())
        async with await door.client(*scopes, sse=sse) as client:
            assert {tool.name for tool in await client.list_tools()} == may
            for scope, names in tools.items():
                for name in names - may:
                    words = await refused(client, name, needs.get(name))
                    assert f"has not the scope '{scope}'" in words
            for name in may - {"leads_search", "inbox"}:
                words = await refused(client, name, needs.get(name))
                assert "scope" not in words
            is_shown = bool({"read", "admin"} & set(scopes))
            assert len(await client.list_resources()) == (2 if is_shown else 0)
            if not is_shown:
                with pytest.raises(Exception, match="has not the scope 'read'"):
                    await client.read_resource("potok://map")


async def test_with_prefect_away_the_rest_works_and_the_reason_is_told(door: Open) -> None:
    async with await door.client("admin") as client:
        assert (await client.call_tool("leads_search", {})).structured_content == {"leads": []}
        assert "Prefect POST /flow_runs/filter: not reached" in await refused(client, "flow_runs")
        assert "not reached" in await refused(client, "transcribe", {"url": "https://a.ru/b.ogg"})
        assert "once Prefect has answered" in await refused(client, "run_leads_main")
        assert "potok://map" in {str(each.uri) for each in await client.list_resources()}
        [content] = await client.read_resource("potok://map")
        assert "leads/main" in content.text
        with pytest.raises(Exception, match="not reached"):
            await client.read_resource("potok://runs/latest")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("no_such_tool", {}),
        ("flow_run", {}),
        ("flow_run", {"run_id": "../../etc"}),
        ("flow_run", {"run_id": "7" * 32, "log_lines": 1_000_000}),
        ("flow_run", {"run_id": "7" * 32, "more": 1}),
        ("flow_runs", {"limit": 0}),
        ("flow_runs", {"state": "' or 1=1"}),
        ("leads_search", {"query": "a" * 1000}),
        ("leads_search", {"query": "a\x00b"}),
        ("leads_search", {"query": {"a": 1}}),
        ("leads_search", {"band": "boiling"}),
        ("leads_search", {"limit": 10**9}),
        ("inbox", {"key": "a\x00"}),
        ("inbox", {"key": "9" * 30}),
        ("inbox", {"state": "gone"}),
        ("inbox_retry", {"key": "no such"}),
        ("transcribe", {}),
        ("transcribe", {"url": "https://a.ru/b", "recording_base64": "AAAA"}),
        ("transcribe", {"recording_base64": "AAAA", "language": "русский"}),
        ("transcription", {"job_id": "7"}),
    ],
)
async def test_bad_arguments_are_refused_with_words(
    door: Open, tool: str, arguments: dict[str, Any]
) -> None:
    async with await door.client("admin") as client:
        words = await refused(client, tool, arguments)
        assert words
        assert "Traceback" not in words
        assert door.database.dsn not in words
        assert (await client.call_tool("inbox", {})).structured_content is not None


async def test_a_session_of_sse_is_open_to_its_owner_alone(door: Open) -> None:
    mine, other = await door.token("read"), await door.token("admin")
    bearer = {"authorization": f"Bearer {mine}"}
    async with (
        httpx.AsyncClient(timeout=30) as http,
        http.stream("GET", f"{door.url}/sse", headers=bearer) as stream,
    ):
        lines = stream.aiter_lines()
        path = ""
        while not path.startswith("/messages/"):
            path = (await anext(lines)).removeprefix("data: ")
        assert (await asked(door, other, path=path)).status_code in (403, 404)
        assert (await asked(door, mine, path=path)).status_code == 202


async def test_many_at_once_are_answered_each_with_its_own(door: Open) -> None:
    async with await door.client("read") as one, await door.client("run") as other:
        answers = await asyncio.gather(
            *(one.call_tool("leads_search", {"limit": n}) for n in range(1, 20)),
            *(other.call_tool("leads_search", {}) for _ in range(20)),
            return_exceptions=True,
        )
    assert all(not isinstance(answer, Exception) for answer in answers[:19])
    assert all(isinstance(answer, ToolError) for answer in answers[19:])


async def test_every_schema_is_one_that_clients_take(door: Open) -> None:
    async with await door.client("admin") as client:
        for tool in await client.list_tools():
            said = json.dumps(tool.input_schema)
            assert tool.input_schema["type"] == "object"
            assert "$ref" not in said
            assert '"null"' not in said
            assert tool.description
