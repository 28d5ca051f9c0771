"""The work pool type ``warm``: a run is handed to a process that is already there.

The stock process worker needs about 9 s before a flow's first line: it starts an interpreter,
imports Prefect and asks its API a dozen things. Here the interpreter is started ahead, and of the
API's requests only those are left that decide something. Runs come in by two ways: those of the
inbox are created Running by the dispatcher, which lives in this process (`deployments.warm.runs`);
all others are Scheduled, found by polling, at once when Prefect's event stream says so.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID

import anyio.abc
from httpx import HTTPError
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import (
    BaseJobConfiguration,
    BaseVariables,
    BaseWorker,
    BaseWorkerResult,
)

from deployments.warm.events import CANCELLING, SCHEDULED, wake_on_events
from deployments.warm.order import Order
from deployments.warm.spares import SparePool, SpareProcess
from lib.errors import Unavailable

DEPLOYMENT_TTL_S = 10.0
CANCEL_POLL_S = 2.0
LOOKS_AFTER_S = (0.0, 0.05, 0.3)  # Prefect tells of a run just before it commits it
CANCEL_GRACE_S = 3.0


class WarmConfiguration(BaseJobConfiguration):
    """What a run may set: ``env``."""


class WarmWorker(BaseWorker[WarmConfiguration, BaseVariables, BaseWorkerResult]):
    """Runs each flow run in a spare process of its own.

    ``_submit_run`` and ``_cancel_run`` replace the base class's: same states, fewer requests, and
    a run that has started can be cancelled too. ``_setup_cancellation_observer`` is put out of
    work: that observer is deaf for good after the server's second absence. All three are private
    to Prefect, which is pinned.
    """

    type = "warm"
    job_configuration = WarmConfiguration
    job_configuration_variables = BaseVariables
    _description = "Runs flow runs in processes that stand ready: no start-up time."
    _display_name = "Warm"

    spares: SparePool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._running: dict[UUID, SpareProcess] = {}
        self._is_idle = asyncio.Event()
        self._cancelled: set[UUID] = set()
        self._deployments: dict[UUID, tuple[float, DeploymentResponse]] = {}
        self._is_draining = False

    async def setup(self) -> None:
        """Connect, make the first spares, and listen for new runs and for cancelled ones."""
        await super().setup()
        assert self._runs_task_group is not None
        self._runs_task_group.start_soon(self.spares.keep_full)
        scheduled, cancelling = asyncio.Event(), asyncio.Event()
        wakes = dict.fromkeys(SCHEDULED, scheduled.set) | dict.fromkeys(CANCELLING, cancelling.set)
        self._runs_task_group.start_soon(wake_on_events, wakes)
        self._runs_task_group.start_soon(
            self._watch, scheduled, None, self.get_and_submit_flow_runs
        )
        self._runs_task_group.start_soon(
            self._watch, cancelling, CANCEL_POLL_S, self._look_for_cancelling
        )

    async def drain(self, grace_s: float) -> None:
        """Take no more runs, let the running ones finish, end those that do not in time."""
        self._is_draining = True
        try:
            async with asyncio.timeout(grace_s):
                while self._running:
                    self._is_idle.clear()
                    await self._is_idle.wait()
        except TimeoutError:
            for running in self._running.values():
                running.signal(signal.SIGTERM)

    def is_at_work(self, flow_run_id: UUID) -> bool:
        """Whether this worker has the run in its hands."""
        return flow_run_id in self._submitting_flow_run_ids

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Poll once."""
        return [] if self._is_draining else await super().get_and_submit_flow_runs()

    async def _watch(
        self, told: asyncio.Event, poll_s: float | None, look: Callable[[], Awaitable[object]]
    ) -> None:
        """Look the moment Prefect tells of something, and every so often besides.

        Args:
            told: set when there is something to see, and maybe a moment before.
            poll_s: the pause between two looks when nothing is told; None: somebody else polls.
            look: safe to repeat.
        """
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), poll_s)
            pauses_s = LOOKS_AFTER_S if told.is_set() else LOOKS_AFTER_S[:1]
            told.clear()
            try:
                for pause_s in pauses_s:
                    await asyncio.sleep(pause_s)
                    await look()
            except HTTPError as exc:
                self._logger.warning("worker.look_away kind=%s", type(exc).__name__)
            except Exception:  # a bug here must not end the runs of this worker
                self._logger.exception("worker.look_failed")

    async def _deployment(self, deployment_id: UUID) -> DeploymentResponse | None:
        """A deployment, not older than ``DEPLOYMENT_TTL_S``; None when it was deleted."""
        read_at, deployment = self._deployments.get(deployment_id, (0.0, None))
        if deployment is None or time.monotonic() - read_at > DEPLOYMENT_TTL_S:
            try:
                deployment = await self.client.read_deployment(deployment_id)
            except ObjectNotFound:
                return None
            self._deployments[deployment_id] = (time.monotonic(), deployment)
        return deployment

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Take a scheduled run to its end.

        Should Prefect be away, the run is left as it is and the other runs go on.
        """
        try:
            if flow_run.deployment_id is None:
                await self._propose_crashed_state(flow_run, "A warm pool runs deployments only.")
            elif deployment := await self._deployment(flow_run.deployment_id):
                variables = {**(deployment.job_variables or {}), **(flow_run.job_variables or {})}
                configuration = WarmConfiguration(env=variables.get("env") or {})
                configuration.command = deployment.entrypoint
                await self._until_ended(flow_run, self.run(flow_run, configuration))
            else:
                gone = {"message": "Its deployment no longer exists."}
                await self._mark_flow_run_as_cancelled(flow_run, gone)
        except (HTTPError, Unavailable) as exc:
            self._logger.warning("worker.away run_id=%s kind=%s", flow_run.id, type(exc).__name__)
        except Exception:  # a bug here must not end the other runs of this worker
            self._logger.exception("worker.run_failed run_id=%s", flow_run.id)
        finally:
            self._release_limit_slot(flow_run.id)
            self._submitting_flow_run_ids.discard(flow_run.id)

    def run_at_once(self, order: Order, spare: SpareProcess) -> None:
        """Run what was created Running, in a process that was acquired for it."""
        assert self._runs_task_group is not None
        flow_run = FlowRun.model_validate_json(order.flow_run)
        self._submitting_flow_run_ids.add(flow_run.id)
        self._runs_task_group.start_soon(self._run_at_once, flow_run, order, spare)

    async def _run_at_once(self, flow_run: FlowRun, order: Order, spare: SpareProcess) -> None:
        try:
            await self._until_ended(flow_run, self._serve(flow_run.id, order, spare))
        except (HTTPError, Unavailable) as exc:  # the dispatcher sees to what was not run
            self._logger.warning("worker.away run_id=%s kind=%s", flow_run.id, type(exc).__name__)
        except Exception:  # a bug here must not end the other runs of this worker
            self._logger.exception("worker.run_failed run_id=%s", flow_run.id)
        finally:
            self._submitting_flow_run_ids.discard(flow_run.id)

    async def _until_ended(
        self, flow_run: FlowRun, running: Coroutine[Any, Any, BaseWorkerResult]
    ) -> None:
        """Wait for a run; one that did not end well is shown as Crashed, one cancelled as such."""
        try:
            result = await running
        finally:
            self._running.pop(flow_run.id, None)
            self._is_idle.set()
        if flow_run.id in self._cancelled:
            self._cancelled.discard(flow_run.id)
            await self._mark_flow_run_as_cancelled(
                flow_run, {"message": "Cancelled; its process was ended."}
            )
        elif result.status_code != 0:
            await self._propose_crashed_state(
                flow_run, f"The run's process ended with status {result.status_code}."
            )

    async def run(
        self,
        flow_run: FlowRun,
        configuration: WarmConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        """Hand a scheduled run to a spare, once one is free, and wait until it is done.

        It is Pending on the server only then: no other worker takes it from that moment.

        Returns:
            0, or the status that its process ended with, negative for a signal.
        """
        env = {key: value for key, value in configuration.env.items() if value is not None}
        order = Order(flow_run.model_dump_json(), configuration.command or "", env)
        spare = await self.spares.acquire(within_s=None)
        is_ours = False
        try:
            is_ours = await self._propose_pending_state(flow_run)
        finally:
            if not is_ours:
                await self.spares.release(spare, is_ready=True)
        if not is_ours:
            return BaseWorkerResult(status_code=0, identifier="")
        if task_status:
            task_status.started(spare.pid)
        return await self._serve(flow_run.id, order, spare)

    async def _serve(self, run_id: UUID, order: Order, spare: SpareProcess) -> BaseWorkerResult:
        spare = self._running[run_id] = await self.spares.hand_over(order, spare)
        is_ready = await spare.ready()
        status = 0 if is_ready else spare.ended.result()
        await self.spares.release(spare, is_ready=is_ready)
        return BaseWorkerResult(status_code=status, identifier=str(spare.pid))

    async def _setup_cancellation_observer(self) -> None:
        """Nothing: ``_look_for_cancelling`` does it."""

    async def _look_for_cancelling(self) -> None:
        """Ask, while runs are in our hands, which of them a person wants to end."""
        await asyncio.gather(*map(self._cancel_run, await self._wanted_to_end()))

    async def _wanted_to_end(self) -> list[UUID]:
        ours = list(self._submitting_flow_run_ids - self._cancelled)
        if not ours:
            return []
        wanted = FlowRunFilter(
            id=FlowRunFilterId(any_=ours),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])),
        )
        return [run.id for run in await self.client.read_flow_runs(flow_run_filter=wanted)]

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        """End a run's process, also when the run has started; the base class knows pending ones."""
        running = self._running.get(flow_run_id)
        if running is None:
            await super()._cancel_run(flow_run_id)
            return
        self._cancelled.add(flow_run_id)
        running.signal(signal.SIGTERM)
        await asyncio.wait([running.ended], timeout=CANCEL_GRACE_S)
        if not running.ended.done():
            running.signal(signal.SIGKILL)
