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

from deployments.provision import BLOCK_TYPES, blocks_from, version
from deployments.settings import ROOT
from deployments.stack.sandbox_access import LLM_KEY
from tests.stack_fixture import LIMIT, LiveStack

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


async def test_no_block_shows_its_secrets(stack: LiveStack) -> None:
    blocks = {type(block): block for _, block in blocks_from(stack.settings)}
    assert set(blocks) == set(BLOCK_TYPES)
    shown = str(await stack.prefect("/block_documents/filter", {}))
    assert HIDDEN in shown
    for block in blocks.values():
        told = f"{block!r} {block} {block.model_dump()} {block.model_dump_json()}"
        for secret in secrets_of(block):
            assert secret not in told
            assert secret not in shown
