"""Every model of the table is asked whether it is there; the doors choose by what is found.

Trigger  schedule, every 5 minutes
In       nothing: the table is deployments/llm.yaml
Out      the health of each model in PostgreSQL; a table and a plot as artifacts; alerts
Pool     live
"""

from __future__ import annotations

from prefect import flow

from blocks._load import load
from blocks.llm import ModelRouter
from blocks.routing import (
    RoutingReport,
    probe_models,
    publish_health,
    tell_health,
    write_health,
)


@flow(name="routing", timeout_seconds=280)
async def routing(router: str = "main") -> RoutingReport:
    """Probe the models once."""
    block = await load(ModelRouter, router)
    table, found = await probe_models(block)
    report = await write_health(block, table, found)
    await publish_health(block, table, found)
    await tell_health(table, report)
    return report
