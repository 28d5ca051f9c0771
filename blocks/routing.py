"""The probe of the models as tasks: look, write what was found, tell a person, leave a picture."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from blocks.alerts import is_due, tell_if_possible
from blocks.llm import ModelRouter
from lib.domain.llm.table import Table
from lib.domain.plots import Point, line_image
from lib.domain.routing import Finding, retiring, without_a_candidate
from lib.domain.texts import models_ill_text, models_well_text, retiring_text
from lib.router.probe import Probe
from lib.store.llm.health import Health, Healths

log = logging.getLogger(__name__)

RETIRING_LIMIT = "potok-alerts-retiring"  # provisioned: once a day
PLOT_OF = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RoutingReport:
    """What a probe found.

    Attributes:
        models: by state.
        ill: aliases that nobody answers for; ``fell_ill`` since the last probe.
        healed: that were ill at the last probe, and are no more.
    """

    models: dict[str, int]
    ill: list[str]
    fell_ill: list[str]
    healed: list[str]


@task(cache_policy=NO_CACHE)
async def probe_models(router: ModelRouter) -> tuple[Table, list[Finding]]:
    """What every provider and model answers now."""
    opened, _ = await router.open()
    table = opened.shelf.table
    found = await Probe(opened.providers, opened.credential).look(table)
    for finding in found:
        ms = round(finding.first_token_ms) if finding.first_token_ms is not None else None
        log.info("model.probed name=%s state=%s first_token_ms=%s", finding.name, finding.state, ms)
    return table, found


@task(cache_policy=NO_CACHE)
async def write_health(router: ModelRouter, table: Table, found: list[Finding]) -> RoutingReport:
    """Write what the doors choose by; say what has changed since the last probe."""
    _, database = await router.open()
    healths = Healths(database)
    before = [_finding(row) for row in await healths.read()]
    await healths.write([_health(finding) for finding in found])
    ill = without_a_candidate(table, found)
    was_ill = without_a_candidate(table, before) if before else []
    return RoutingReport(
        dict(Counter(finding.state for finding in found)),
        ill,
        [name for name in ill if name not in was_ill],
        [name for name in was_ill if name not in ill],
    )


async def publish_health(router: ModelRouter, table: Table, found: list[Finding]) -> None:
    """Leave a table of the models, and a plot of their first tokens in the last day."""
    _, database = await router.open()
    rows = [
        {
            "model": finding.name,
            "state": finding.state,
            "why": finding.reason,
            "first token ms": round(finding.first_token_ms) if finding.first_token_ms else "",
            "USD in / out, 1M": f"{finding.price_in} / {finding.price_out}"
            if finding.price_in is not None
            else "",
            "retires": str(finding.retires or ""),
            "aliases": ", ".join(_aliases(table, finding)),
        }
        for finding in found
    ]
    await acreate_table_artifact(rows, key="models")
    history = await Healths(database).history(datetime.now(UTC) - PLOT_OF)
    times: dict[str, list[Point]] = {}
    for row in history:
        point = (row["at"], row["first_token_ms"])
        times.setdefault(f"{row['provider']}/{row['model']}", []).append(point)
    plot = line_image("First token of each model, last 24 hours", "ms", times)
    await acreate_markdown_artifact(plot, key="model-latency")


async def tell_health(table: Table, report: RoutingReport) -> None:
    """Tell a person of aliases that nobody answers for, and of models that retire."""
    today = datetime.now(UTC).date()
    texts = [models_well_text(report.healed)] if report.healed else []
    if report.fell_ill:
        texts.append(models_ill_text(report.fell_ill))
    leaving = retiring(table, today)
    if leaving and await is_due(RETIRING_LIMIT):
        texts.append(retiring_text([(alias, model.name, day) for alias, model, day in leaving]))
    for text in texts:
        await tell_if_possible(text)


def _aliases(table: Table, finding: Finding) -> list[str]:
    return [
        name
        for name, alias in table.aliases.items()
        if any(candidate.name == finding.name for candidate in alias.candidates)
    ]


def _health(finding: Finding) -> Health:
    return Health(
        provider=finding.provider,
        model=finding.model,
        ok=finding.is_well,
        state=finding.state,
        reason=finding.reason[:300],
        first_token_ms=finding.first_token_ms,
        price_in_usd=finding.price_in,
        price_out_usd=finding.price_out,
        retires_on=finding.retires,
        checked_at=datetime.now(UTC),
    )


def _finding(row: Health) -> Finding:
    return Finding(row.provider, row.model, row.state, row.reason, row.first_token_ms)
