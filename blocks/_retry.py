"""Which failures a task tries again, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from lib.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

# What every effect of ours uses: a few quick tries; longer outages are the inbox's business.
TRIES = 2
PAUSES_S = [0.5, 2.0]


def retried(work: Callable[P, R]) -> Task[P, R]:
    """A task that is tried again when the far side was away."""
    made = task(
        cache_policy=NO_CACHE,
        retries=TRIES,
        retry_delay_seconds=PAUSES_S,
        retry_condition_fn=is_worth_a_retry,
    )
    return made(work)


async def is_worth_a_retry(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a task's failure is one that passes: the far side was away."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, Unavailable)
