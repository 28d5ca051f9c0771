"""Ways to kill each part of a stack, and the sight of it being back."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from random import Random

import psutil
import psycopg

from tests.stack_fixture import AWAY, LiveStack, eventually

BACK_WITHIN_S = 120.0
SEED = int(os.environ.get("FAULT_SEED", "20261125"))

Strike = Callable[[LiveStack, Random], Awaitable[bool]]
"""Kills; false when there was nothing to kill just now."""


def program(name: str) -> Strike:
    """A program of the stack: killed, and seen alive again."""

    async def strike(stack: LiveStack, dice: Random) -> bool:
        pid = stack.pid(name)
        stack.send(name, signal.SIGKILL)

        async def is_another() -> bool:
            return stack.pid(name) != pid

        await eventually(is_another, BACK_WITHIN_S)
        return True

    return strike


async def spare(stack: LiveStack, dice: Random) -> bool:
    """A process of the worker that has no run: one that waits, or the template of all."""
    held = await _held_by(stack)
    idle = [process for process in stack.of_worker() if process.pid not in held]
    return _killed(idle, dice)


async def run(stack: LiveStack, dice: Random) -> bool:
    """A process that works on a batch."""
    held = await _held_by(stack)
    return _killed([process for process in stack.of_worker() if process.pid in held], dice)


async def session(stack: LiveStack, dice: Random) -> bool:
    """One session's process of PostgreSQL, upon which it ends all sessions and recovers."""
    try:
        rows = await stack.rows(
            "select pid from pg_stat_activity where backend_type = 'client backend' "
            "and pid <> pg_backend_pid()"
        )
    except psycopg.OperationalError:
        return False
    return _killed(
        [psutil.Process(row["pid"]) for row in rows if psutil.pid_exists(row["pid"])], dice
    )


STRIKES: dict[str, Strike] = {
    "gateway": program("gateway"),
    "worker with the dispatcher": program("worker"),
    "a spare, or their template": spare,
    "a run's process": run,
    "Prefect server": program("prefect"),
    "PostgreSQL": program("postgres"),
    "a session of PostgreSQL": session,
}


async def _held_by(stack: LiveStack) -> set[int]:
    """The processes below the worker that hold a batch's lock."""
    try:
        rows = await stack.rows(
            "select a.client_port as port from pg_locks l join pg_stat_activity a using (pid) "
            "where l.locktype = 'advisory' and l.objsubid = 1 and l.granted"
        )
    except AWAY:
        return set()
    ports = {row["port"] for row in rows}
    return {process.pid for process in stack.of_worker() if ports & _ports_of(process)}


def _ports_of(process: psutil.Process) -> set[int]:
    try:
        return {link.laddr.port for link in process.net_connections("tcp") if link.laddr}
    except psutil.NoSuchProcess:
        return set()


def _killed(candidates: list[psutil.Process], dice: Random) -> bool:
    if not candidates:
        return False
    try:
        dice.choice(candidates).kill()
    except psutil.NoSuchProcess:
        return False
    return True
