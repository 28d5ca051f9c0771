"""The command line in a home of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

import pytest
from typer.testing import CliRunner

from deployments.cli.app import app
from tests.support import free_port

Potok = Callable[..., Awaitable[tuple[int, str, str]]]


async def run_potok(
    home: Path, *words: str | bytes, stdout: int | IO[bytes] = PIPE, **variables: str
) -> tuple[int, str, str]:
    """Run ``potok`` in a process of its own: exit code, output, errors."""
    env = {
        f"POTOK_{name}PORT": str(free_port())
        for name in ("", "LLM_", "SANDBOX_", "PREFECT_", "PG_")
    }
    env |= {"PATH": os.environ["PATH"], "POTOK_HOME": str(home), "COLUMNS": "200", **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deployments.cli.app", *words, env=env, stdout=stdout, stderr=PIPE
    )
    said, wrong = await asyncio.wait_for(process.communicate(), 300)
    return process.returncode or 0, (said or b"").decode(), wrong.decode()


@pytest.fixture
def potok(tmp_path: Path) -> Potok:
    """Run ``potok`` in a home of its own: exit code, output, errors."""
    ports = {
        f"POTOK_{name}PORT": str(free_port())
        for name in ("", "LLM_", "SANDBOX_", "PREFECT_", "PG_")
    }

    async def run(*words: str, **variables: str) -> tuple[int, str, str]:
        env = ports | {"POTOK_HOME": str(tmp_path), **variables}
        done = await asyncio.to_thread(CliRunner().invoke, app, words, env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run
