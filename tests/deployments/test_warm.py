"""The warm worker over a real Prefect server: processes that stay, and those that must not."""

from __future__ import annotations

import signal
from functools import partial
from typing import Any

import pytest

from tests.deployments.warm_flows import MARKER
from tests.faults.crowd import Crowd
from tests.stack_fixture import LiveStack, eventually


@pytest.fixture(scope="module")
async def deployment(stack: LiveStack) -> str:
    """A deployment of `look_around` on the pool ``live``."""
    return await deployed(stack, "look_around")


async def deployed(stack: LiveStack, name: str, **more: Any) -> str:
    """A deployment of a flow of `warm_flows` on the pool ``live``."""
    flow = await stack.prefect("/flows/", {"name": name.replace("_", "-")})
    body = more | {
        "name": "scheduled" if more else "test",
        "flow_id": flow["id"],
        "entrypoint": f"tests.deployments.warm_flows.{name}",
        "work_pool_name": "live",
        "enforce_parameter_schema": False,
    }
    return str((await stack.prefect("/deployments/", body))["id"])


async def run_of(
    stack: LiveStack, deployment: str, env: dict[str, str] | None = None, **parameters: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run that has ended, and what it saw."""
    body = {"parameters": parameters, "job_variables": {"env": env or {}}}
    run = await stack.prefect(f"/deployments/{deployment}/create_flow_run", body)
    ended = await stack.run_ended(run["id"])
    ((seen,),) = await stack.artifacts(run["id"])
    assert seen["run"] == run["id"]
    return ended, seen


async def test_a_process_takes_another_run_after_a_good_one(
    stack: LiveStack, deployment: str
) -> None:
    first, one = await run_of(stack, deployment)
    second, two = await run_of(stack, deployment)
    assert (first["state_type"], second["state_type"]) == ("COMPLETED", "COMPLETED")
    assert one["pid"] == two["pid"]


async def test_a_process_takes_no_run_after_a_failed_one(stack: LiveStack, deployment: str) -> None:
    failed, one = await run_of(stack, deployment, fail=True)
    _, two = await run_of(stack, deployment)
    assert failed["state_type"] == "FAILED", "by its flow, not Crashed by its worker"
    assert one["pid"] != two["pid"]


async def test_no_run_sees_the_environment_of_the_one_before(
    stack: LiveStack, deployment: str
) -> None:
    _, given = await run_of(stack, deployment, {MARKER: "mine"})
    _, after = await run_of(stack, deployment)
    assert given["pid"] == after["pid"]
    assert (given["marker"], after["marker"]) == ("mine", None)


async def test_each_log_line_is_with_its_own_run(stack: LiveStack, deployment: str) -> None:
    runs = [(await run_of(stack, deployment))[0] for _ in range(2)]
    for run in runs:
        wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}

        async def logged(wanted: dict[str, Any] = wanted) -> list[str]:
            lines = await stack.prefect("/logs/filter", wanted)
            return [line["message"] for line in lines if line["message"] == "looked around"]

        assert await eventually(logged) == ["looked around"]


async def test_cancelling_ends_the_process_and_the_messages_go_back(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    (hung,) = await crowd.hang(people=1)
    await crowd.cancel(hung)
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    (row,) = await stack.deliveries([hung])
    assert row["attempts"] == 1


async def test_a_run_that_waits_can_be_cancelled_too(stack: LiveStack, deployment: str) -> None:
    body = {
        "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00Z"}}
    }
    run = await stack.prefect(f"/deployments/{deployment}/create_flow_run", body)
    state = {"state": {"type": "CANCELLED"}}
    await stack.prefect(f"/flow_runs/{run['id']}/set_state", state)
    assert (await stack.run_ended(run["id"]))["state_type"] == "CANCELLED"


async def test_a_run_whose_process_dies_is_crashed(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    (hung,) = await crowd.hang(people=1)
    (row,) = await stack.deliveries([hung])
    (await stack.process_of(row["batch_id"])).kill()
    run = await stack.run_ended(row["flow_run_id"])
    assert run["state_type"] == "CRASHED"
    assert "-9" in run["state"]["message"]
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


async def test_a_run_that_has_no_process_is_not_running_for_ever(
    stack: LiveStack, deployment: str
) -> None:
    """As after the death of a worker whose run had settled its messages and not said so."""
    ended = {}
    for shown in ("RUNNING", "PENDING", "CANCELLING"):
        body = {"state": {"type": shown}}
        run = await stack.prefect(f"/deployments/{deployment}/create_flow_run", body)
        ended[shown] = run["id"]
    states = {name: await stack.run_ended(run_id) for name, run_id in ended.items()}
    assert {name: run["state_type"] for name, run in states.items()} == {
        "RUNNING": "CRASHED",
        "PENDING": "CRASHED",
        "CANCELLING": "CANCELLED",
    }
    assert states["RUNNING"]["state"]["message"] == "The process of this run is gone."


async def test_a_repeated_run_takes_what_its_batch_has_not_done(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    await stack.control("bitrix/failures", {"kind": "html_502", "times": None})
    (key,) = await crowd.write(1)

    async def is_now(state: str) -> dict[str, Any] | None:
        (row,) = await stack.deliveries([key])
        return row if row["state"] == state else None

    row = await eventually(partial(is_now, "failed"))
    await stack.be_honest()
    await stack.rows("update deliveries set state = 'dead' where key = %s", key)
    await stack.run_ended(row["flow_run_id"])
    again = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    await stack.prefect(f"/flow_runs/{row['flow_run_id']}/set_state", again)
    done = await eventually(partial(is_now, "done"))
    await crowd.check_each_is_one_lead()
    assert done["flow_run_id"] == row["flow_run_id"]
    run = await stack.run_ended(row["flow_run_id"])
    assert (run["state_type"], run["run_count"]) == ("COMPLETED", 2)


@pytest.mark.parametrize("what", ["pool", "deployment"])
async def test_what_is_paused_takes_no_messages_until_it_goes_on(
    stack: LiveStack, what: str
) -> None:
    crowd, log = Crowd(stack), stack.stack.supervisor.log_dir / "worker.log"
    told = "reason=leads/main, or its pool live, is paused in Prefect"
    before = log.read_text("utf-8", "replace").count(told)

    async def pause(is_paused: bool) -> None:
        if what == "deployment":
            await stack.pause("leads/main", paused=is_paused)
        else:
            await stack.prefect("/work_pools/live", {"is_paused": is_paused}, "PATCH")

    def is_seen() -> bool:
        return log.read_text("utf-8", "replace").count(told) > before

    async def done_or_seen() -> bool:
        rows = await stack.deliveries(list(crowd.origins))
        return is_seen() or all(row["state"] == "done" for row in rows)

    await pause(True)
    while not is_seen():  # a deployment is known for some seconds
        await crowd.write(1)
        await eventually(done_or_seen)
    waiting = await crowd.write(2)
    (now,) = await stack.rows("select clock_timestamp() as at")
    await pause(False)
    await crowd.arrived()
    claims = "select created_at from batches b join deliveries d on d.batch_id = b.id"
    claimed = await stack.rows(f"{claims} where d.key = any(%s)", waiting)
    assert min(row["created_at"] for row in claimed) > now["at"]
    await crowd.check_each_is_one_lead()


async def test_a_schedule_makes_runs_that_are_run(stack: LiveStack) -> None:
    often = [{"schedule": {"interval": 5}, "active": True}]
    scheduled = await deployed(stack, "look_around", schedules=often)

    async def completed() -> bool:
        wanted = {
            "deployments": {"id": {"any_": [scheduled]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
        }
        runs = await stack.prefect("/flow_runs/filter", wanted)
        return bool(runs) and all(run["auto_scheduled"] for run in runs)

    await eventually(completed)
    await stack.prefect(f"/deployments/{scheduled}", method="DELETE")


async def test_a_run_that_hangs_past_its_timeout_is_killed(stack: LiveStack) -> None:
    stuck = await deployed(stack, "stuck")
    run = await stack.prefect(f"/deployments/{stuck}/create_flow_run", {})
    ended = await stack.run_ended(run["id"])
    assert ended["state_type"] == "CRASHED"
    assert "-9" in ended["state"]["message"]


async def test_a_worker_told_to_stop_lets_its_runs_finish(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    row = await crowd.dawdle()
    stack.send("worker", signal.SIGTERM)
    assert (await stack.run_ended(row["flow_run_id"]))["state_type"] == "COMPLETED"
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    assert {each["attempts"] for each in await stack.deliveries(list(crowd.origins))} == {0}
    await stack.be_well()


async def test_a_worker_told_to_stop_gives_back_what_does_not_finish(stack: LiveStack) -> None:
    crowd = Crowd(stack)
    (hung,) = await crowd.hang(people=1)
    (row,) = await stack.deliveries([hung])
    stack.send("worker", signal.SIGTERM)
    assert (await stack.run_ended(row["flow_run_id"]))["state_type"] == "CRASHED"
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    await stack.be_well()
