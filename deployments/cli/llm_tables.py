"""The rows and tables of ``potok llm models`` and ``potok llm usage``."""

from __future__ import annotations

from typing import Any

from rich.table import Table as Shown
from rich.text import Text

from deployments.cli.store import on_screen
from lib.domain.llm.table import Candidate, Table
from lib.domain.routing import WELL
from lib.store.llm.health import Health


def model_rows(table: Table, found: dict[tuple[str, str], Health]) -> list[dict[str, Any]]:
    """A row for each candidate of each alias, in the table's order."""
    return [
        {"alias": name, "about": alias.about}
        | _row(candidate, found.get((candidate.provider, candidate.model)))
        for name, alias in table.aliases.items()
        for candidate in alias.candidates
    ]


def _row(candidate: Candidate, health: Health | None) -> dict[str, Any]:
    price = candidate.price
    price_in, price_out = (price.input, price.output) if price else (None, None)
    if health is not None and health.price_in_usd is not None:  # the provider's own word
        price_in, price_out = health.price_in_usd, health.price_out_usd
    return {
        "provider": candidate.provider,
        "model": candidate.model,
        "state": health.state if health else None,
        "reason": health.reason if health else None,
        "first_token_ms": health.first_token_ms if health else None,
        "price_in_usd": price_in,
        "price_out_usd": price_out,
        "price_hour_usd": price.hour if price and price.hour else None,
        "retires": str(candidate.retires) if candidate.retires else None,
        "probed_at": health.checked_at if health else None,
    }


def models_table(rows: list[dict[str, Any]]) -> Shown:
    """The models for people."""

    shown = Shown(box=None, pad_edge=False, header_style="dim")
    for title in ("alias", "who answers", "last probe", "first token", "USD in/out, 1M", "retires"):
        shown.add_column(title, no_wrap=True, overflow="ellipsis")
    before = ""
    for row in rows:
        ms = row["first_token_ms"]
        state = row["state"] or "not probed yet"
        colour = "dim" if row["state"] is None else "green" if state in WELL else "red"
        shown.add_row(
            row["alias"] if row["alias"] != before else "",
            Text(on_screen(f"{row['provider']}/{row['model']}")),
            Text(on_screen(state), colour),
            f"{ms:.0f} ms" if ms is not None else "",
            _price(row),
            row["retires"] or "",
        )
        before = row["alias"]
    return shown


def _price(row: dict[str, Any]) -> str:
    """What a model costs; "" when nobody knows it."""
    if row["price_hour_usd"] is not None:
        return f"{row['price_hour_usd']:f} / hour"
    known = row["price_in_usd"] is not None
    return f"{row['price_in_usd']:f} / {row['price_out_usd']:f}" if known else ""


def usage_table(rows: list[dict[str, Any]], by: str) -> Shown:
    """The sums for people."""

    shown = Shown(box=None, pad_edge=False, header_style="dim")
    shown.add_column(by, overflow="ellipsis", no_wrap=True)
    titles = ("calls", "failed", "refused", "cached", "tokens in", "tokens out", "USD")
    for title in (*titles, "first token p50/p95", "whole p50/p95, ms"):
        shown.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        counts = ("calls", "failed", "refused", "cached", "tokens_in", "tokens_out")
        shown.add_row(
            Text(on_screen(row["name"])),
            *(str(row[name]) for name in counts),
            f"{row['usd']:.4f}",
            _pair(row, "first_token"),
            _pair(row, "total"),
        )
    return shown


def _pair(row: dict[str, Any], what: str) -> str:
    """The 50th and 95th percentile, ms; "" when nothing was measured."""
    p50, p95 = row[f"{what}_p50_ms"], row[f"{what}_p95_ms"]
    return f"{p50:.0f} / {p95:.0f}" if p50 is not None else ""
