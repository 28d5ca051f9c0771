"""The command line in a home of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli.app import app
from tests.support import free_port

Potok = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def potok(tmp_path: Path) -> Potok:
    """Run ``potok`` in a home of its own: exit code, output, errors."""
    ports = {f"POTOK_{name}PORT": str(free_port()) for name in ("", "SANDBOX_", "PREFECT_", "PG_")}

    async def run(*words: str, **variables: str) -> tuple[int, str, str]:
        env = ports | {"POTOK_HOME": str(tmp_path), **variables}
        done = await asyncio.to_thread(CliRunner().invoke, app, words, env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run
