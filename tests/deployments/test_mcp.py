"""The MCP server over the whole stack: flows, runs, leads and recordings, by each transport."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client import StdioTransport

from deployments.manifest import entries
from deployments.settings import ROOT
from deployments.stack import programs
from lib.domain.mcp_schemas import tool_name
from tests.faults.crowd import Crowd
from tests.flows.people import Person, key, new_phone
from tests.gateway.mcp.opened import Open, opened, refused
from tests.stack_fixture import LiveStack, eventually
from tests.support import free_port

SOUND = ROOT / "tests" / "data" / "speech" / "ru_0039.ogg"
NO_MONDAY = "2026-11-17"


@pytest.fixture(scope="module")
async def door(stack: LiveStack) -> AsyncIterator[Open]:
    """The server over HTTP, in front of the live stack."""
    async with opened(stack.settings) as found:
        yield found


def by_stdio(stack: LiveStack, *words: str, **more: Any) -> Client[Any]:
    """A client that starts ``potok mcp`` itself, as an IDE does."""
    command = ["-m", "deployments.cli.app", "mcp", *words]
    env = stack.settings.child_env()
    return Client(StdioTransport(sys.executable, command, env=env, cwd=str(ROOT)), **more)


@asynccontextmanager
async def connected(stack: LiveStack, door: Open, way: str) -> AsyncIterator[Client[Any]]:
    """A client that may read and run."""
    if way == "stdio":
        client = by_stdio(stack, progress_handler=door._note)
    else:
        mode = "legacy" if way == "old http" else "auto"
        client = await door.client("read", "run", sse=way == "sse", mode=mode)
    door.progress.clear()
    async with client:
        yield client


async def said(client: Client[Any], tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool gives."""
    answer = await client.call_tool(tool, arguments)
    assert answer.structured_content is not None
    [text] = answer.content
    assert json.loads(text.text) == answer.structured_content
    return dict(answer.structured_content)


@pytest.mark.parametrize("way", ["http", "old http", "sse", "stdio"])
async def test_a_flow_is_started_followed_and_shown(stack: LiveStack, door: Open, way: str) -> None:
    async with connected(stack, door, way) as client:
        names = {tool.name for tool in await client.list_tools()}
        assert {tool_name(entry.name) for entry in entries()} <= names
        run = await said(client, "run_routing_main", wait=True)
        assert (run["state"], run["flow"]) == ("Completed", "routing")
        assert run["parameters"] == {"router": "main"}
        seconds = [done for done, _, _ in door.progress]
        assert seconds
        assert seconds == sorted(seconds)
        assert {"mcp", "models"} <= set(run["tags"])
        shown = await said(client, "flow_run", run_id=run["id"])
        assert shown["state"] == "Completed"
        assert run["id"] in shown["url"]
        [table, *_] = [left for left in shown["artifacts"] if left["type"] == "table"]
        assert "groq/openai/gpt-oss-20b" in {row["model"] for row in table["data"]}
        newest = (await said(client, "flow_runs", limit=5))["runs"]
        assert run["id"] in {each["id"] for each in newest}
        [content] = await client.read_resource("potok://runs/latest")
        assert run["id"] in content.text
        [content] = await client.read_resource("potok://map")
        flows = {flow["name"]: flow for flow in json.loads(content.text)["flows"]}
        assert set(flows) == {entry.name for entry in entries()}
        assert flows["weekly/main"]["schedules"] == ["0 9 * * 1 Europe/Moscow"]
        assert flows["leads/main"]["trigger"].startswith("webhooks /hooks/telegram")


async def test_a_run_is_answered_at_once_with_its_id_and_its_log_can_be_read(door: Open) -> None:
    async with await door.client("read", "run") as client:
        run = await said(client, "run_weekly_main", monday=NO_MONDAY)
        assert run["state_type"] in ("SCHEDULED", "PENDING", "RUNNING")
        seen = await said(client, "flow_run", run_id=run["id"], wait=True)
        assert seen["state"] == "Failed"

        async def logged() -> bool:  # the log comes a moment after the state
            lines = (await said(client, "flow_run", run_id=run["id"], log_level="error"))["logs"]
            return any("is no Monday" in line["message"] for line in lines)

        await eventually(logged)
        assert not (await said(client, "flow_run", run_id=run["id"], log_lines=0))["logs"]
        again = await said(client, "retry", run_id=run["id"], wait=True)
        assert (again["state"], again["tries"]) == ("Failed", 2)
        failed = (await said(client, "flow_runs", state="FAILED"))["runs"]
        assert run["id"] in {each["id"] for each in failed}


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("run_leads_main", {}, "'batch_id' is a required property"),
        ("run_leads_main", {"batch_id": "7"}, "batch_id: '7' is not a 'uuid'"),
        ("run_leads_main", {"batchid": "7"}, "is batch_id meant?"),
        ("run_weekly_main", {"monday": "yesterday"}, "'yesterday' is not a 'date'"),
        ("run_weekly_main", {"monday": ["2026-11-16"]}, "monday: "),
        ("run_calls_main", {"portal": 7}, "portal: 7 is not of type 'string'"),
        ("run_calls_main", {"portal": "x" * 5000, "since": "x" * 5000}, "…"),
        ("run_routing_main", {"wait": "yes"}, "wait is true or false"),
        ("flow_run", {"run_id": "7" * 32}, "there is no flow run"),
        ("cancel", {"run_id": "7" * 32}, "there is no flow run"),
        ("retry", {"run_id": "7" * 32}, "there is no flow run"),
    ],
)
async def test_bad_parameters_make_no_run_and_are_told(
    stack: LiveStack, door: Open, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with await door.client("read", "run") as client:
        before = await stack.prefect("/flow_runs/count", {})
        told = await refused(client, tool, arguments)
        assert words in told
        assert len(told) < 1000
        assert await stack.prefect("/flow_runs/count", {}) == before


async def test_a_flow_is_run_by_who_may_run(door: Open) -> None:
    async with await door.client("read") as client:
        names = {tool.name for tool in await client.list_tools()}
        assert not any(name.startswith("run_") for name in names)
        words = await refused(client, "run_routing_main")
        assert "has not the scope 'run' that this needs (it has: read)" in words
    async with await door.client("run") as client:
        assert (await said(client, "run_routing_main", wait=True))["state"] == "Completed"
        assert "scope 'read'" in await refused(client, "leads_search")


async def test_a_run_that_goes_on_is_cancelled_and_its_messages_go_back(
    stack: LiveStack, door: Open
) -> None:
    crowd = Crowd(stack)
    (hung,) = await crowd.hang(people=1)
    (row,) = await stack.deliveries([hung])
    run_id = str(row["flow_run_id"])
    async with await door.client("run", "read") as client:
        assert "has not ended" in await refused(client, "retry", {"run_id": run_id})
        assert (await said(client, "cancel", run_id=run_id))["state"] == "Cancelling"
        ended = await said(client, "flow_run", run_id=run_id, wait=True)
        assert ended["state_type"] in ("CANCELLED", "CRASHED")
        assert "the run has ended" in await refused(client, "cancel", {"run_id": run_id})
        await crowd.arrived()
        await crowd.check_each_is_one_lead()
        done = await said(client, "inbox", key=hung)
        assert done["delivery"]["state"] == "done"


async def test_a_run_that_waits_for_nobody_is_cancelled(stack: LiveStack, door: Open) -> None:
    flow = await stack.prefect("/flows/", {"name": "nobody-runs"})
    await stack.prefect("/work_pools/", {"name": "nobody", "type": "process"})
    wanted = {"name": "сборка_1", "flow_id": flow["id"], "entrypoint": "flows.no.no"}
    schema = {"parameter_openapi_schema": {"type": "object", "properties": {}}}
    made = await stack.prefect(
        "/deployments/", wanted | schema | {"work_pool_name": "nobody", "tags": []}
    )
    async with opened(stack.settings) as fresh, await fresh.client("run") as client:
        name = tool_name("nobody-runs/сборка_1")
        assert name in {tool.name for tool in await client.list_tools()}
        run = await said(client, name)
        assert run["state"] == "Scheduled"
        assert "has not ended" in await refused(client, "retry", {"run_id": run["id"]})
        cancelled = await said(client, "cancel", run_id=run["id"])
        assert cancelled["state"] == "Cancelled"
        await stack.prefect(f"/deployments/{made['id']}", method="DELETE")
        assert "404" in await refused(client, name)
        assert "there is no tool" in await refused(client, name)


async def test_leads_and_the_inbox_are_looked_through(stack: LiveStack, door: Open) -> None:
    phone, person = new_phone(), Person()
    update = person.says(f"Нужен кредит на токарный станок, {phone}")
    assert await stack.post(update) == "accepted"
    await stack.settled([key(update)])
    async with await door.client("read") as client:
        [lead] = (await said(client, "leads_search", query=phone))["leads"]
        assert (lead["phone"], lead["intent"]) == (phone, "кредит")
        assert "messages" not in lead
        found = await said(client, "leads_search", query=phone, with_texts=True)
        assert "токарный" in found["leads"][0]["messages"][0]["text"]
        delivery = (await said(client, "inbox", key=key(update)))["delivery"]
        assert (delivery["state"], delivery["outcome"]["lead_id"]) == ("done", lead["id"])
        assert "body" not in delivery
        whole = await said(client, "inbox", key=str(delivery["id"]), with_body=True)
        assert "токарный" in whole["delivery"]["body"]
        listed = await said(client, "inbox", state="done", limit=3)
        assert listed["counts"]["done"] >= 1
        assert "токарный" not in json.dumps(listed, ensure_ascii=False)


async def test_a_dead_letter_is_brought_back_by_admin(stack: LiveStack, door: Open) -> None:
    await stack.control("bitrix/failures", {"kind": "poison", "marker": "ядовитое-слово"})
    update = Person().says(f"Нужен кредит, ядовитое-слово, {new_phone()}")
    await stack.post(update)
    [row] = await stack.settled([key(update)])
    assert row["state"] == "dead"
    await stack.be_honest()
    async with await door.client("admin") as client:
        dead = (await said(client, "inbox", state="dead"))["deliveries"]
        assert key(update) in {each["key"] for each in dead}
        await said(client, "inbox_retry", key=key(update))
        [row] = await stack.settled([key(update)])
        assert row["state"] == "done"
        assert "only the dead come back" in await refused(
            client, "inbox_retry", {"key": key(update)}
        )


@pytest.mark.parametrize("way", ["http", "stdio"])
async def test_a_recording_is_written_down(stack: LiveStack, door: Open, way: str) -> None:
    sound = base64.b64encode(SOUND.read_bytes()).decode()
    async with connected(stack, door, way) as client:
        job = await said(client, "transcribe", recording_base64=sound, language="ru")
        done = await said(client, "transcription", job_id=job["job_id"], wait=True)
        assert (done["state"], done["language"]) == ("done", "ru")
        assert done["text"]
        assert done["segments"][0]["end_s"] > 0
        for bad, words in (
            ({"recording_base64": "не base64"}, "is no base64"),
            ({"recording_base64": "A" * 3_400_000}, "give its `url`"),
            ({"url": "http://127.0.0.1:1/x.ogg"}, "private network"),
            ({"url": "file:///etc/passwd"}, "must begin with https://"),
        ):
            assert words in await refused(client, "transcribe", bad)
        failed = await said(client, "transcribe", recording_base64="QUJD", wait=True)
        assert failed["state"] == "failed"


async def test_by_stdio_one_may_what_the_command_says(stack: LiveStack) -> None:
    async with by_stdio(stack, "--scopes", "read") as client:
        assert "scope 'run'" in await refused(client, "run_routing_main")
        assert (await said(client, "inbox"))["counts"]


async def test_no_answer_tells_a_secret(stack: LiveStack, door: Open) -> None:
    secrets = [
        value.get_secret_value()
        for value in stack.settings.model_dump().values()
        if hasattr(value, "get_secret_value")
    ]
    secrets += [stack.settings.pg_password_path.read_text().strip()]
    token = await door.token("admin")
    async with door.client_of(token) as client:
        run = await said(client, "run_upkeep_main", wait=True)
        answers = [
            await said(client, "flow_run", run_id=run["id"], log_level="debug", log_lines=200),
            await said(client, "flow_runs", limit=100),
            await said(client, "inbox", limit=100),
            [tool.model_dump(mode="json") for tool in await client.list_tools()],
        ]
    told = json.dumps(answers, ensure_ascii=False)
    assert not [secret for secret in [*secrets, token] if secret in told]


async def test_the_process_answers_and_ends(stack: LiveStack, door: Open) -> None:
    settings = stack.settings.model_copy(update={"mcp": True, "mcp_port": free_port()})
    program = programs.mcp(settings)
    process = await asyncio.create_subprocess_exec(*program.argv, env=program.env, cwd=ROOT)
    assert program.ready is not None
    await eventually(program.ready)
    url = f"http://127.0.0.1:{program.port}"
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{url}/mcp")).status_code == 401
    here = Open(url, stack.settings, door.database, door.keyring)
    async with await here.client("read") as client:
        assert "leads" in await said(client, "leads_search", limit=1)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) in (0, -15)
