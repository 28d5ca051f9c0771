"""Each part killed or stopped once, at the worst moment; nobody mends anything by hand."""

from __future__ import annotations

import asyncio
import signal
import time

import psutil
import pytest

from tests.faults.crowd import Crowd
from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

AWAY_S = 20.0


@pytest.fixture
def crowd(stack: LiveStack) -> Crowd:
    return Crowd(stack)


async def test_the_worker_is_killed_in_the_middle_of_a_batch(
    stack: LiveStack, crowd: Crowd
) -> None:
    keys = await crowd.hang()
    (run_id,) = {row["flow_run_id"] for row in await stack.deliveries(keys)}
    stack.send("worker", signal.SIGKILL)
    await crowd.write(5)
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    run = await stack.run_ended(run_id)
    assert run["state_type"] == "CRASHED"
    assert {row["attempts"] for row in await stack.deliveries(keys)} == {1}


async def test_a_run_is_killed_in_the_middle_of_a_batch(stack: LiveStack, crowd: Crowd) -> None:
    keys = await crowd.hang()
    (row, *_) = await stack.deliveries(keys)
    process = await stack.process_of(row["batch_id"])
    process.kill()
    run = await stack.run_ended(row["flow_run_id"])
    assert run["state_type"] == "CRASHED"
    assert "-9" in run["state"]["message"]
    await crowd.arrived()
    await crowd.check_each_is_one_lead()
    batches = await stack.rows("select size from batches order by created_at desc limit 3")
    assert [batch["size"] for batch in batches] == [1, 1, 1], "a crash makes the next ones smaller"


async def test_a_message_that_kills_every_run_is_given_up_and_a_person_is_told(
    stack: LiveStack, crowd: Crowd
) -> None:
    (bad,) = await crowd.hang(people=1)
    await stack.rows("update deliveries set attempts = 7 where key = %s", bad)
    (row,) = await stack.deliveries([bad])
    (await stack.process_of(row["batch_id"])).kill()
    (row,) = await stack.settled([bad])
    assert (row["state"], row["attempts"]) == ("dead", 8)

    async def told() -> bool:
        return any(bad in text and "inbox retry" in text for text in await stack.sent())

    await eventually(told)
    await stack.potok("inbox", "retry", bad)
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


async def test_the_gateway_is_killed_while_it_accepts(stack: LiveStack, crowd: Crowd) -> None:
    writing = asyncio.create_task(crowd.write(20, words=2))
    await crowd.accepted(10)
    stack.send("gateway", signal.SIGKILL)
    await writing
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


async def test_prefect_is_away_for_twenty_seconds(stack: LiveStack, crowd: Crowd) -> None:
    server = psutil.Process(stack.pid("prefect"))
    frozen = [server, *server.children(recursive=True)]
    until = time.monotonic() + AWAY_S
    for process in frozen:
        process.suspend()
    try:
        while time.monotonic() < until:
            began = time.monotonic()
            await crowd.write(1)
            assert time.monotonic() - began < 5, "a message is accepted at once all the same"
            await asyncio.sleep(0.5)
        answer = await stack.http.get(f"{stack.settings.gateway_url}/readyz")
        assert answer.status_code == 503
        assert answer.json()["parts"]["prefect"] != "ok"
    finally:
        for process in frozen:
            process.resume()
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


async def test_prefect_is_killed_in_the_middle_of_a_batch(stack: LiveStack, crowd: Crowd) -> None:
    await crowd.hang()
    stack.send("prefect", signal.SIGKILL)
    await crowd.write(5)
    await crowd.arrived()
    (hung,) = await crowd.hang(people=1)
    await crowd.cancel(hung)  # after that as before
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


async def test_postgres_stops_at_once_under_load(stack: LiveStack, crowd: Crowd) -> None:
    writing = asyncio.create_task(crowd.write(20, words=3))
    await crowd.accepted(15)
    stack.send("postgres", signal.SIGQUIT)  # "immediate": no goodbye, recovery at the next start
    await writing
    await crowd.arrived()
    await crowd.check_each_is_one_lead()


async def test_a_run_that_waits_for_a_slow_portal_survives_a_postgres_restart(
    stack: LiveStack, crowd: Crowd
) -> None:
    """The lock of its batch is gone with the server: it takes it again, and no other run does."""
    wishes = [{"kind": "silent", "seconds": 0.1}, {"kind": "silent", "seconds": 15}]
    await stack.control("bitrix/failures", wishes)
    person = Person()
    update = person.says(f"Нужен кредит, {new_phone()}")
    await stack.post(update)

    async def stored() -> bool:
        return bool(await stack.crm(person.ref(update)))

    await eventually(stored)
    stack.send("postgres", signal.SIGQUIT)
    (row,) = await stack.settled([key(update)])
    assert (row["state"], row["attempts"]) == ("done", 0)
    assert len(await stack.crm(person.ref(update))) == 1
