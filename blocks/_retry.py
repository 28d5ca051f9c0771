"""Which failures a task tries again."""

from __future__ import annotations

from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from lib.errors import Unavailable

# What every effect of ours uses: a few quick tries; longer outages are the inbox's business.
TRIES = 2
PAUSES_S = [0.5, 2.0]


async def is_worth_a_retry(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a task's failure is one that passes: the far side was away."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, Unavailable)
