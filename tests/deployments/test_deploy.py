"""What ``prefect deploy --all`` and provisioning make on a real server, once and again."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from blocks.ingress import IngressSite
from blocks.llm import EgressWay
from blocks.speech import SpeechService
from deployments import manifest
from deployments.provision import BLOCK_TYPES, blocks_from
from deployments.settings import ROOT
from deployments.stack.sandbox_access import LLM_KEY
from deployments.version import version
from tests.faults.crowd import Crowd
from tests.stack_fixture import LiveStack, eventually
from tests.stack_running import LIMIT

HIDDEN = "*" * 8


async def run_python(stack: LiveStack, *words: str, **env: str) -> str:
    """The output of a Python module, run with the environment that the stack's programs have."""
    ran = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        cwd=ROOT,
        env=stack.settings.child_env() | env,
        stdout=PIPE,
        stderr=STDOUT,
    )
    async with asyncio.timeout(180):
        said, _ = await ran.communicate()
    assert ran.returncode == 0, said.decode()
    return said.decode()


async def made(stack: LiveStack) -> dict[str, Any]:
    """What is on the server, by kind: that which a second provisioning must not change."""
    everything: dict[str, Any] = {}
    for kind in ("deployments", "work_pools", "block_types", "block_documents"):
        found = await stack.prefect(f"/{kind}/filter", {})
        everything[kind] = {(each["name"], each["id"]) for each in found if "name" in each}
    limits = await stack.prefect("/v2/concurrency_limits/filter", {})
    everything["limits"] = {(each["name"], each["id"]) for each in limits}
    return everything


async def test_deploying_again_changes_the_version_and_nothing_else(stack: LiveStack) -> None:
    before = await made(stack)
    said = await run_python(
        stack, "prefect", "--no-prompt", "deploy", "--all", POTOK_VERSION="one-more"
    )
    assert "leads/main" in said.replace("\n", "")
    assert await made(stack) == before
    deployment = await stack.prefect("/deployments/name/leads/main")
    assert deployment["version"] == "one-more"
    assert deployment["entrypoint"] == "flows.leads.leads", "a module path, which hides no package"
    assert deployment["work_pool_name"] == "live"
    assert deployment["parameters"] == {"portal": "main", "model": "main"}
    assert set(deployment["tags"]) == {"inbox", "leads"}


async def test_provisioning_again_changes_nothing(stack: LiveStack) -> None:
    before = await made(stack)
    await run_python(stack, "deployments.provision")
    assert await made(stack) == before
    assert (await stack.prefect("/deployments/name/leads/main"))["version"] == version()
    assert (await stack.prefect("/work_pools/live"))["type"] == "warm"
    limit = await stack.prefect("/v2/concurrency_limits/bitrix24-main")
    assert (limit["limit"], limit["slot_decay_per_second"]) == LIMIT


async def test_what_is_paused_stays_paused(stack: LiveStack) -> None:
    await stack.pause("weekly/main")
    await run_python(stack, "deployments.provision")
    for name, paused in (("weekly/main", True), ("leads/main", False)):
        found = await stack.prefect(f"/deployments/name/{name}")
        assert (name, found["paused"]) == (name, paused)
    await stack.pause("weekly/main", paused=False)


async def test_only_what_was_deployed_from_here_is_deleted(stack: LiveStack) -> None:
    before = await made(stack)
    flow = await stack.prefect("/flows/", {"name": "gone"})
    often = [{"schedule": {"interval": 3600}, "active": True}]
    body = {"flow_id": flow["id"], "entrypoint": "flows.gone.gone", "schedules": often}
    await stack.prefect("/deployments/", body | {"name": "main"})
    theirs = await stack.prefect("/deployments/", body | {"name": "theirs"})
    own = stack.settings.home / "deployed"
    ours = sorted(entry.name for entry in manifest.entries())
    assert own.read_text().split() == ours
    own.write_text("\n".join([*ours, "gone/main"]))
    await run_python(stack, "deployments.provision")
    left = await made(stack)
    assert left["deployments"] - before["deployments"] == {("theirs", theirs["id"])}
    assert own.read_text().split() == ours
    await stack.prefect(f"/deployments/{theirs['id']}", method="DELETE")


@pytest.mark.parametrize("what", ["deployment", "pool"])
async def test_what_was_deleted_in_prefect_is_missed_and_made_again(
    stack: LiveStack, what: str
) -> None:
    deployment = await stack.prefect("/deployments/name/leads/main")
    lost = f"/deployments/{deployment['id']}" if what == "deployment" else "/work_pools/live"
    await stack.prefect(lost, method="DELETE")
    assert len(await manifest.missing(stack.settings)) == (
        1 if what == "deployment" else len(manifest.entries())
    )
    crowd = Crowd(stack)
    await crowd.write(2)

    async def told() -> bool:
        return any("не развёрнут" in text for text in await stack.sent())

    if what == "deployment":  # for the pool nobody is told again within 15 minutes
        await eventually(told)
    await run_python(stack, "deployments.provision")
    assert await manifest.missing(stack.settings) == []
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


def secrets_of(block: Block) -> list[str]:
    """Its secrets; the sandbox's key of the model is a word that is everywhere."""
    values = [getattr(block, name) for name in type(block).model_fields]
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    return [secret for secret in secrets if secret != LLM_KEY]


@pytest.fixture
def prefect_here(stack: LiveStack) -> Iterator[None]:
    """Prefect's client in this process, with the stack's server; its log handlers go again."""
    handlers = logging.root.handlers[:]
    with temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}):
        yield
    logging.root.handlers[:] = handlers


@pytest.mark.usefixtures("prefect_here")
async def test_blocks_come_back_as_they_were_written(stack: LiveStack) -> None:
    for name, written in blocks_from(stack.settings):
        read = await type(written).aload(name)
        for field in type(written).model_fields:
            assert getattr(read, field) == getattr(written, field)


@pytest.mark.usefixtures("prefect_here")
async def test_no_block_shows_its_secrets(stack: LiveStack) -> None:
    blocks = {type(block): block for _, block in blocks_from(stack.settings)}
    # The sandbox is on this machine: it needs no way out.
    blocks[EgressWay] = EgressWay(proxy=SecretStr("socks5://out:egress-password@proxy:1080"))
    blocks[SpeechService] = await SpeechService.aload("main")  # its key was made by provisioning
    assert set(blocks) == set(BLOCK_TYPES) - {IngressSite}  # which has no secret
    shown = str(await stack.prefect("/block_documents/filter", {}))
    assert HIDDEN in shown
    for block in blocks.values():
        told = f"{block!r} {block} {block.model_dump()} {block.model_dump_json()}"
        for secret in secrets_of(block):
            assert secret not in told
            assert secret not in shown
