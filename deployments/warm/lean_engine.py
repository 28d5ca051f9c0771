"""What a run in a warm process does without. Prefect is pinned; a test runs the real engine.

Measured for one flow run on 2 cores, Prefect 3.8.8: the suspension observer opens a web socket in
a thread of its own and waits for it, 0.15–0.25 s; the server is asked for its default result
storage, 0.02–0.16 s. Nothing here suspends or keeps results. The model of a flow's parameters is
built anew for every run, 3 ms. The requests that a run begins with tell the server what it knows or
ask for what is at hand: 15–20 ms of its CPU each. That a task is Pending is told a millisecond
before it is Running, and costs the server as much as any other event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

import prefect
import prefect.flow_engine
import prefect.flows
import prefect.results
import prefect.task_engine
from prefect._internal.pydantic.validated_func import ValidatedFunction
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.client.schemas.responses import SetStateStatus, StateAcceptDetails
from prefect.utilities.engine import emit_task_run_state_change_event

PATCHED_VERSION = "3.8.8"


@contextmanager
def _unobserved(*_: Any) -> Iterator[None]:
    yield


def _no_server_default() -> None:
    return None


async def _ano_server_default() -> None:
    return None


@cache
def _validated(function: Any) -> ValidatedFunction:
    return ValidatedFunction(function, config={"arbitrary_types_allowed": True})


def _without_pending(
    task_run: TaskRun, initial_state: Any, validated_state: State[Any], follows: Any = None
) -> Any:
    if validated_state.is_pending():
        return follows
    return emit_task_run_state_change_event(task_run, initial_state, validated_state, follows)


@contextmanager
def known_to(client: PrefectClient, flow_run: FlowRun, *, is_running: bool) -> Iterator[None]:
    """Answer, for one run, what its engine asks first: each question once, here instead of there.

    Args:
        client: the one that the engine will use.
        flow_run: as the server has just shown it.
        is_running: the server has it as Running: the engine's proposal is accepted already.
    """

    async def read_flow_run(flow_run_id: UUID) -> FlowRun:
        del client.read_flow_run
        counted = flow_run.run_count + (not is_running)  # it has become Running since
        return flow_run.model_copy(update={"run_count": counted})

    async def update_flow_run(*_: Any, **__: Any) -> None:
        """Nothing: its flow's version and retries are the deployment's."""
        del client.update_flow_run

    async def set_flow_run_state(
        flow_run_id: UUID, state: State[Any], force: bool = False
    ) -> OrchestrationResult[Any]:
        del client.set_flow_run_state
        if not state.is_running():
            return await client.set_flow_run_state(flow_run_id, state, force)
        details = StateAcceptDetails()
        return OrchestrationResult(
            state=flow_run.state, status=SetStateStatus.ACCEPT, details=details
        )

    answers: dict[str, Any] = {"read_flow_run": read_flow_run, "update_flow_run": update_flow_run}
    if is_running:
        answers["set_flow_run_state"] = set_flow_run_state
    for name, answer in answers.items():
        setattr(client, name, answer)
    try:
        yield
    finally:
        for name in answers:
            vars(client).pop(name, None)


def slim() -> None:
    """Take the observer, the look-up and the Pending events out of this process.

    Raises:
        RuntimeError: this is another Prefect, whose engine was not looked at.
    """
    if prefect.__version__ != PATCHED_VERSION:
        raise RuntimeError(
            f"lean_engine knows Prefect {PATCHED_VERSION}, not {prefect.__version__}"
        )
    for module, name, instead in (
        (prefect.flow_engine, "observe_flow_run_suspension", _unobserved),
        (prefect.results, "_read_server_default_result_storage_block_id", _no_server_default),
        (prefect.results, "_aread_server_default_result_storage_block_id", _ano_server_default),
        (prefect.flows, "ValidatedFunction", lambda function, **_: _validated(function)),
        (prefect.task_engine, "emit_task_run_state_change_event", _without_pending),
    ):
        if not hasattr(module, name):
            raise RuntimeError(f"{module.__name__} has no {name}")
        setattr(module, name, instead)
