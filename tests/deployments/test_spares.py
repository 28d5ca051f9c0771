"""The worker's processes when one of them, or the template of all, is struck."""

from __future__ import annotations

import signal

import psutil

from tests.faults.crowd import Crowd
from tests.stack_fixture import LiveStack


def ours(stack: LiveStack) -> list[psutil.Process]:
    """The worker's own children: the template, whose children the spares are, and a tracker."""
    return [process for process in stack.of_worker() if process.ppid() == stack.pid("worker")]


async def test_a_run_outlives_the_template_of_its_process(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    row = await crowd.dawdle()
    (template,) = (p for p in ours(stack) if any("forkserver" in word for word in p.cmdline()))
    template.kill()
    assert (await stack.run_ended(row["flow_run_id"]))["state_type"] == "COMPLETED"
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    assert {each["attempts"] for each in await stack.deliveries(list(crowd.origins))} == {0}


async def test_processes_that_are_frozen_are_replaced(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    await crowd.write(1)
    await crowd.arrived()
    frozen = set(stack.of_worker()) - set(ours(stack))
    assert frozen
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    await crowd.write(2)
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    for process in frozen:
        if process.is_running():
            process.send_signal(signal.SIGCONT)
