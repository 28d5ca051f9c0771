"""``potok up``: in the foreground or in the background."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from deployments.cli.show import ConsoleProgress, out, waiting
from deployments.portal_setup import set_up_sandbox
from deployments.settings import ROOT, Settings, unknown_variables
from deployments.stack import pidfiles
from deployments.stack.stack import Stack
from lib.errors import PotokError, Rejected, Unavailable

log = logging.getLogger("potok.up")

START_WITHIN_S = 300.0
LOOK_EVERY_S = 0.1


def log_to(settings: Settings) -> None:
    """Send what the supervisor reports to ``log/supervisor.log``."""
    path = settings.home / "log" / "supervisor.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("potok")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


async def stay_up(settings: Settings) -> None:
    """Bring the stack up, say where it is, and stay until a signal."""
    progress = ConsoleProgress()
    log_to(settings)
    with contextlib.closing(progress):
        async with Stack(settings, progress) as stack:
            await set_up_portal(settings)
            out.print(f"Ready in {stack.took_s['total']:.1f} s")
            for name, url in links(settings).items():
                out.print(f"  {name:<8} {url}", soft_wrap=True)
            if out.is_terminal:
                out.print("Ctrl-C stops it")
            await asyncio.Event().wait()


async def set_up_portal(settings: Settings) -> None:
    """Let the stand-in portal have its fields and tell its events; without it all else works."""
    if not settings.is_sandbox:
        return
    try:
        await set_up_sandbox(settings)
    except PotokError as exc:
        log.warning("sandbox.portal_not_set_up reason=%s", exc)


def links(settings: Settings) -> dict[str, str]:
    """The doors of the stack for people."""
    found = {
        "gateway": settings.gateway_url,
        "models": f"{settings.llm_url}/v1",
        "usage": f"{settings.llm_url}/usage",
        "Prefect": settings.prefect_ui_url,
    }
    if settings.speech_model:
        found["speech"] = f"{settings.speech_url}/v1"
    if settings.mcp:
        found["MCP"] = f"{settings.mcp_url}/mcp"
    if settings.is_sandbox:
        found["sandbox"] = settings.sandbox_url
    return found | {"logs": str(settings.home / "log")}


def detach(settings: Settings, words: list[str]) -> None:
    """Start ``potok up`` in the background, and return when it is ready.

    Raises:
        Unavailable: it did not start; the message is its own.
    """
    lock = pidfiles.HomeLock(pidfiles.run_dir(settings.home))
    if (owner := lock.owner()) is not None:
        raise Rejected(f"already running (pid {owner}): `potok down` stops it")
    log = settings.home / "log" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "deployments.cli.app", "up", *words],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=ROOT, start_new_session=True, env={**os.environ, "POTOK_HOME": str(settings.home)},
        )  # fmt: skip
    with waiting("starting in the background"):
        _wait_until_ready(settings, child, log)
    out.print(f"Ready in {time.monotonic() - began:.1f} s (pid {child.pid}): `potok status`")
    for name, url in links(settings).items():
        out.print(f"  {name:<8} {url}", soft_wrap=True)


def _wait_until_ready(settings: Settings, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        try:
            child.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            entry = stack_entry(settings)
            if entry is not None and entry.pid == child.pid and entry.ready_at:
                return
        else:
            said = unknown_variables()  # this process has told of them
            lines = [
                line
                for line in log.read_text().splitlines()
                if line[:1].strip() and line not in said
            ]
            raise Unavailable("\n".join(lines) or f"it stopped at once (log: {log})")
    child.send_signal(signal.SIGTERM)
    raise Unavailable(f"not ready in {START_WITHIN_S:.0f} s, so it was stopped (log: {log})")


def stack_entry(settings: Settings) -> pidfiles.Entry | None:
    """What the supervisor of this POTOK_HOME wrote down about itself."""
    entries = pidfiles.read_all(pidfiles.run_dir(settings.home))
    return next((entry for entry in entries if entry.name == pidfiles.STACK), None)
