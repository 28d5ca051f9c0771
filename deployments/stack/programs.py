"""The programs of the stack: one function each, so that a program is changed in one place."""

from __future__ import annotations

import sys

from deployments.settings import LOOPBACK, ROOT, Settings
from deployments.stack.program import Program, http_ready


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def _served(
    settings: Settings,
    name: str,
    port: int,
    url: str | None = None,
    *,
    nice: int = 0,
    within_s: float = 60.0,
) -> Program:
    """A door of ours; with ``nice`` it may wait, a webhook may not."""
    first = ("nice", "-n", str(nice)) if nice else ()
    return Program(
        name=name,
        argv=[*first, *_python(f"deployments.{name}")],
        env=settings.child_env(),
        cwd=ROOT,
        ready=http_ready(f"{url or f'http://{LOOPBACK}:{port}'}/healthz"),
        ready_within_s=within_s,
        port=port,
    )


def prefect_server(settings: Settings) -> Program:
    """Prefect's API, UI and services."""
    address = ("--host", LOOPBACK, "--port", str(settings.prefect_port))
    return Program(
        name="prefect",
        # Behind the gateway, before the runs: it may wait, a webhook may not.
        argv=["nice", "-n", "5", *_python("prefect", "server", "start", *address)],
        env=settings.server_env(),
        cwd=ROOT,
        ready=http_ready(f"{settings.prefect_api_url}/health"),
        ready_within_s=120.0,
        port=settings.prefect_port,
    )


def sandbox(settings: Settings) -> Program:
    """The stand-ins for the vendors."""
    return Program(
        name="sandbox",
        argv=_python("deployments.sandbox", "--port", str(settings.sandbox_port)),
        env=settings.child_env(),
        cwd=ROOT,
        ready=http_ready(f"{settings.sandbox_url}/healthz"),
        port=settings.sandbox_port,
    )


def gateway(settings: Settings) -> Program:
    """The web doors."""
    return _served(settings, "gateway", settings.port)


def llm(settings: Settings) -> Program:
    """The door to the models."""
    return _served(settings, "llm", settings.llm_port)


def speech(settings: Settings) -> Program:
    """The speech service; it loads its model first."""
    return _served(settings, "speech", settings.speech_port, nice=10, within_s=120.0)


def mcp(settings: Settings) -> Program:
    """The MCP server."""
    return _served(settings, "mcp", settings.mcp_port, settings.mcp_url, nice=5)


def worker(settings: Settings) -> Program:
    """The warm worker; it says that it is ready when its spare processes stand."""
    return Program(
        name="worker",
        argv=_python("deployments.warm.worker"),
        env=settings.child_env(),
        cwd=ROOT,
        says_ready=True,
        ready_within_s=240.0,  # it starts beside Prefect, and waits for its pool
        grace_s=settings.stop_grace_s + 5,
    )


def schema(settings: Settings) -> Program:
    """The one-shot that makes our database's schema the newest."""
    return Program(
        name="schema",
        argv=_python("deployments.stack.schema"),
        env=settings.child_env(),
        cwd=ROOT,
        ready_within_s=180.0,
    )


def provision(settings: Settings) -> Program:
    """The one-shot that makes pools, limits, blocks and deployments on the Prefect server."""
    return Program(
        name="provision",
        argv=_python("deployments.provision"),
        env=settings.child_env(),
        cwd=ROOT,
        ready_within_s=180.0,
    )
