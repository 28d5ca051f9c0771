"""The worker's ear on Prefect's event stream, with the real server."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from functools import partial
from uuid import uuid4

from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.warm.events import SCHEDULED, wake_on_events
from tests.stack_fixture import LiveStack, eventually

NEVER = "prefect.flow-run.NeverHeardOf"  # called once after each connection, as all are
LATER = {"scheduled_time": "2100-01-01T00:00:00Z"}


async def test_what_is_scheduled_wakes_also_after_the_server_was_away(stack: LiveStack) -> None:
    woken: Counter[str] = Counter()
    deployment = await stack.prefect("/deployments/name/leads/main")

    async def more(name: str, than: str, by: int = 0) -> bool:
        return woken[name] > woken[than] + by

    async def wakes(event: str) -> None:
        state = {"type": "SCHEDULED", "name": event.rpartition(".")[2], "state_details": LATER}
        path = f"/deployments/{deployment['id']}/create_flow_run"
        batch = {"batch_id": str(uuid4())}
        run = await stack.prefect(path, {"state": state, "parameters": batch})
        await eventually(partial(more, event, NEVER))
        await stack.prefect(f"/flow_runs/{run['id']}", method="DELETE")

    scheduled, retried = SCHEDULED
    with temporary_settings({PREFECT_API_URL: stack.settings.prefect_api_url}):
        wanted = {name: partial(woken.update, [name]) for name in (scheduled, retried, NEVER)}
        listening = asyncio.create_task(wake_on_events(wanted))
        await eventually(partial(more, NEVER, "nothing"))
        await wakes(scheduled)
        connections = woken[NEVER]
        stack.send("prefect", signal.SIGKILL)
        await eventually(partial(more, NEVER, "nothing", connections))
        await wakes(retried)
        listening.cancel()
    await stack.be_well()
