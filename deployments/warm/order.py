"""What the worker tells a spare process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Order:
    """A flow run to run.

    Attributes:
        flow_run: the run, as Prefect's JSON.
        entrypoint: the flow's module path, ``flows.leads.leads``.
        env: variables of the deployment and the run, set before the flow is loaded.
        is_running: Prefect has it as Running already; else the process says so.
    """

    flow_run: str
    entrypoint: str
    env: dict[str, str] = field(default_factory=dict)
    is_running: bool = False
