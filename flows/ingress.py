"""Traefik is configured by one file, and every route of it is proven to be as that says.

Trigger  schedule, every 15 minutes; by hand after a change of the file
In       nothing: the hosts are deployments/ingress.yaml
Out      Traefik's static and dynamic configuration; a table of the proofs as an artifact; alerts
Pool     live
"""

from __future__ import annotations

from prefect import State, flow
from prefect.states import Completed, Failed

from blocks._load import load_if_any
from blocks.ingress import (
    IngressReport,
    IngressSite,
    configure,
    prove,
    publish_proof,
    tell_proof,
)


@flow(name="ingress", timeout_seconds=280)
async def ingress(
    site: str = "main", again_s: float = 5.0, taken_within_s: float = 60.0
) -> IngressReport | State[None]:
    """Configure Traefik if the file has changed, then prove every route; red when one fails."""
    block = await load_if_any(IngressSite, site)
    if block is None:
        return Completed(message="skipped: no INGRESS_DIR is set, so no Traefik is known")
    configured = await configure(block)
    found = await prove(block, configured, again_s, taken_within_s)
    await publish_proof(configured, found)
    report = await tell_proof(block, configured, found)
    return Failed(message=report.words) if report.failing else report
