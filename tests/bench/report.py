"""The table of a session, for the terminal and for RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.figures import ROWS, Row, Sample, Spread, short, spreads_of

RESULTS = Path(__file__).with_name("RESULTS.md")

_HEAD = """# Benchmarks

Written by `make bench`: min–median–max over the runs of one session on one machine. A ✓ or ✗
judges the median. The anchor is the named figure of the same session, and the ratio is figure ÷
anchor. Vendors are the sandbox's, answer at once, and share the cores; PostgreSQL is the embedded
one with fsync on. MB are 10⁶ bytes of PSS. Times to the CRM are `leads.crm_at −
deliveries.received_at` by the database's clock.
"""


def table(samples: Mapping[str, Sequence[Sample]]) -> list[list[str]]:
    """The rows that were measured: what, value, must, aim, ratio to the anchor."""
    spreads = spreads_of(samples)
    return [_cells(row, spreads) for row in ROWS if row.key in spreads]


def text_table(rows: list[list[str]]) -> str:
    """For a terminal."""
    head = ["measure", "min–median–max", "must", "aim", "÷ anchor"]
    widths = [max(len(cells[i]) for cells in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in [head, *rows]
    ]
    return "\n".join(lines)


def markdown(
    environment: Mapping[str, str],
    samples: Mapping[str, Sequence[Sample]],
    failures: Mapping[str, str],
) -> str:
    """The whole of RESULTS.md."""
    parts = [_HEAD, *(f"- {name}: {value}" for name, value in environment.items())]
    head = "| measure | min–median–max | must | aim | ÷ anchor |"
    parts += ["", head, "|---|---|---|---|---|"]
    parts += ["| " + " | ".join(cells) + " |" for cells in table(samples)]
    parts += ["", *(f"`{name}` did not end: {why}" for name, why in failures.items())]
    for name, runs in samples.items():
        if runs and runs[-1].notes:
            parts += ["", f"## {name}, last run", "", "```", *runs[-1].notes, "```"]
    return "\n".join(parts).rstrip() + "\n"


def _cells(row: Row, spreads: Mapping[str, Spread]) -> list[str]:
    spread = spreads[row.key]
    return [
        row.says,
        spread.text(row.unit),
        _wanted(row, row.must, spread.median),
        _wanted(row, row.aim, spread.median),
        _ratio(row, spreads),
    ]


def _wanted(row: Row, wanted: float | None, value: float) -> str:
    if wanted is None:
        return ""
    return (
        f"{'≥' if row.is_floor else '≤'} {short(wanted)} {'✓' if row.meets(value, wanted) else '✗'}"
    )


def _ratio(row: Row, spreads: Mapping[str, Spread]) -> str:
    anchor = spreads.get(row.anchor or "")
    if anchor is None or not anchor.median:
        return ""
    name = (row.anchor or "").partition(".")
    return f"{short(spreads[row.key].median / anchor.median)} × {name[0]} {name[2]}"
