"""What every tool needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lib.clients.prefect_runs import PrefectRuns
from lib.clients.speech import Speech
from lib.domain.flow_map import FlowOnMap
from lib.gateway.mcp.caller import Callers
from lib.gateway.mcp.following import Following
from lib.store.inbox import Inbox
from lib.store.lead_search import LeadSearch


@dataclass(frozen=True, slots=True)
class House:
    """The parts behind the tools.

    Attributes:
        callers: who asks.
        speech: gives a connection to the speech service; it raises Rejected where there is none.
        map: the flows by ``flow/deployment``, as their headers say.
        ui_url: of Prefect.
    """

    callers: Callers
    prefect: PrefectRuns
    leads: LeadSearch
    inbox: Inbox
    speech: Callable[[], Awaitable[Speech]]
    map: Mapping[str, FlowOnMap]
    ui_url: str
    following: Following = field(default_factory=Following)

    def run_link(self, run_id: object) -> str:
        """The page of a run."""
        return f"{self.ui_url}/runs/flow-run/{run_id}"
