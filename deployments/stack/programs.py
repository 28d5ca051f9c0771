"""The programs of the stack: one function each, so that a program is changed in one place."""

from __future__ import annotations

import sys

from deployments.settings import LOOPBACK, ROOT, Settings
from deployments.stack.program import Program, http_ready


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


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
    return Program(
        name="gateway",
        argv=_python("deployments.gateway"),
        env=settings.child_env(),
        cwd=ROOT,
        ready=http_ready(f"{settings.gateway_url}/healthz"),
        port=settings.port,
    )


def llm(settings: Settings) -> Program:
    """The door to the models."""
    return Program(
        name="llm",
        argv=_python("deployments.llm"),
        env=settings.child_env(),
        cwd=ROOT,
        ready=http_ready(f"{settings.llm_url}/healthz"),
        port=settings.llm_port,
    )


def speech(settings: Settings) -> Program:
    """The speech service; it loads its model first."""
    return Program(
        name="speech",
        argv=["nice", "-n", "10", *_python("deployments.speech")],  # it may wait, a webhook may not
        env=settings.child_env(),
        cwd=ROOT,
        ready=http_ready(f"{settings.speech_url}/healthz"),
        ready_within_s=120.0,
        port=settings.speech_port,
    )


def mcp(settings: Settings) -> Program:
    """The MCP server."""
    return Program(
        name="mcp",
        argv=["nice", "-n", "5", *_python("deployments.mcp")],  # it may wait, a webhook may not
        env=settings.child_env(),
        cwd=ROOT,
        ready=http_ready(f"{settings.mcp_url}/healthz"),
        port=settings.mcp_port,
    )


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
