"""Figures over several runs, and what is asked of each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all do not exceed; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(slots=True)
class Sample:
    """What one run of a measure gave.

    Attributes:
        figures: by the key of their row.
        notes: lines for people: where the time or the memory went.
    """

    figures: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        key: ``<measure>.<figure>_<unit>``.
        says: what was measured.
        unit: after the figure.
        must: what it may not exceed, or, as a ``is_floor``, not fall below.
        aim: what it should reach.
        is_floor: more is better.
        anchor: key of the figure of the same session that this one is compared with.
    """

    key: str
    says: str
    unit: str = ""
    must: float | None = None
    aim: float | None = None
    is_floor: bool = False
    anchor: str | None = None

    def meets(self, value: float, wanted: float) -> bool:
        """Whether a value is as good as wanted."""
        return value >= wanted if self.is_floor else value <= wanted


EQUAL = 1.05  # two measurements of the same differ by as much

ROWS = (
    Row("message.p50_ms", "one message every 0.5 s, webhook → CRM, p50", "ms", 300, 46,
        anchor="direct.p50_ms"),
    Row("message.p95_ms", "one message every 0.5 s, webhook → CRM, p95", "ms", 800, 94,
        anchor="direct.p95_ms"),
    Row("message.alone_p50_ms", "one message, sent when the run before has ended, p50", "ms",
        anchor="direct.p50_ms"),
    Row("message.sent_p50_ms", "one every 0.5 s, from the client's first byte, p50", "ms"),
    Row("message.hook_p50_ms", "webhook answered, one message every 0.5 s, p50", "ms"),
    Row("direct.p50_ms", "the same work without Prefect and HTTP door, p50", "ms"),
    Row("direct.p95_ms", "the same work without Prefect and HTTP door, p95", "ms"),
    Row("steady.crm_p50_ms", "50 messages a second, webhook → CRM, p50", "ms"),
    Row("steady.crm_p95_ms", "50 messages a second, webhook → CRM, p95", "ms", 3000, 1000),
    Row("steady.hook_p50_ms", "webhook answered during that time, p50", "ms"),
    Row("steady.hook_p99_ms", "webhook answered during that time, p99", "ms", 25, 10),
    Row("steady.missing", "of these messages not in the CRM", "", 0, 0),
    Row("burst.leads_per_s", "burst of 1,000, all in the CRM", "leads/s", 100, 266, is_floor=True),
    Row("burst.all_s", "burst of 1,000, until all are in the CRM", "s", 15),
    Row("burst.hook_p99_ms", "webhook answered during the burst, p99", "ms"),
    Row("burst.lost", "of the burst lost", "", 0, 0),
    Row("burst.doubled", "of the burst doubled", "", 0, 0),
    Row("limited.leads_per_s", "burst of 1,000 under Bitrix24's limit (2/s, burst 50)", "leads/s",
        25, 40, is_floor=True, anchor="burst.leads_per_s"),
    Row("limited.next_leads_per_s", "the next 1,000 right after, the bucket being full", "leads/s",
        is_floor=True),
    Row("limited.refused", "requests that the portal refused (QUERY_LIMIT_EXCEEDED)"),
    Row("limited.lost", "of both bursts lost", "", 0, 0),
    Row("limited.doubled", "of both bursts doubled", "", 0, 0),
    Row("worker.ratio", "warm worker against the stock process worker", "times", 15, 40,
        is_floor=True),
    Row("worker.warm_s", "trivial flow, warm worker, create run → Completed", "s",
        anchor="worker.stock_s"),
    Row("worker.stock_s", "trivial flow, stock process worker (poll 0.3 s)", "s"),
    Row("cancel.ended_s", "cancelled in the UI, the slowest: until its process has ended", "s", 5),
    Row("cancel.shown_s", "cancelled in the UI: until it is shown as Cancelled", "s"),
    Row("inbox.ratio", "claim and settle of 50, beside settled rows against an empty inbox",
        "times", 1.5, EQUAL),
    Row("inbox.claim_ratio", "of which the claim alone", "times"),
    Row("inbox.full_ms", "claim and settle of 50 beside settled rows", "ms",
        anchor="inbox.empty_ms"),
    Row("inbox.empty_ms", "claim and settle of 50, empty inbox", "ms"),
    Row("backlog.many_ms", "claim of 200 while 20,000 wait", "ms", anchor="backlog.few_ms"),
    Row("backlog.few_ms", "claim of 200 while 200 wait", "ms"),
    Row("scoring.cpu_s", "scoring of 50,000 leads, CPU with PostgreSQL's", "s", 60),
    Row("scoring.all_s", "scoring of 50,000 leads, until all are stored", "s"),
    Row("scoring.grew_mb", "memory that it took on top", "MB"),
    Row("memory.rest_mb", "gateway + dispatcher + worker with its spares, at rest", "MB", 600, 350),
    Row("memory.growth", "the same after 100,000 messages against after 1,000", "times", 1.1,
        EQUAL),
    Row("memory.gateway_mb", "gateway, at rest", "MB"),
    Row("memory.worker_mb", "worker with the dispatcher, at rest", "MB"),
    Row("memory.template_mb", "template of the spares, at rest", "MB"),
    Row("memory.spare_mb", "all spares, at rest", "MB"),
    Row("memory.prefect_mb", "Prefect server, at rest", "MB"),
    Row("memory.postgres_mb", "PostgreSQL, at rest", "MB"),
    Row("memory.sandbox_mb", "sandbox, at rest", "MB"),
    Row("llm.added_p50_ms", "door to the models: latency it adds, one by one, p50", "ms", 3, 1.5,
        anchor="llm.direct_p50_ms"),
    Row("llm.added_p99_ms", "door to the models: latency it adds, one by one, p99", "ms"),
    Row("llm.direct_p50_ms", "the same question, asked directly, p50", "ms"),
    Row("llm.first_token_added_ms", "door to the models: time to first token it adds", "ms", 5),
    Row("llm.requests_per_s", "door to the models: 32 connections, no stream", "requests/s",
        800, 1500, is_floor=True, anchor="llm.direct_per_s"),
    Row("llm.direct_per_s", "the same, asked directly", "requests/s"),
    Row("llm.chunks_lost", "of 500 streams at once, chunks lost", "", 0, 0),
    Row("llm.cold_start_s", "door to the models: until it answers", "s", 3),
    Row("llm.memory_mb", "door to the models: memory", "MB"),
    Row("llm.memory_growth", "the same after 100,000 requests more", "times", 1.1, EQUAL),
    Row("speech.overhead_percent", "speech service over the bare model, median of recordings",
        "%", 5),
    Row("speech.overhead_short_percent", "the same, of 4 s", "%", 5),
    Row("speech.overhead_long_percent", "the same, of 3 minutes", "%", 5),
    Row("speech.start_s", "speech service: start until the first 4 s are heard", "s", 5),
    Row("speech.ten_first_s", "ten recordings of 8 s at once: until the first is heard", "s"),
    Row("speech.ten_last_s", "the same, until the last is", "s"),
    Row("speech.ten_queued", "the same, queued when the first is heard", "", 1, is_floor=True),
    Row("speech.ten_wait", "the same, the longest wait against its share in the order", "times"),
    Row("listening.ru_wer_percent", "50 recordings in Russian, base model: words heard wrongly",
        "%", 18),
    Row("listening.ru_cer_percent", "the same, characters", "%", 5),
    Row("listening.ru_bare_wer_percent", "the same, bare model, words", "%"),
    Row("listening.ru_bare_cer_percent", "the same, bare model, characters", "%"),
    Row("listening.en_wer_percent", "recordings in English, words heard wrongly", "%", 5),
    Row("listening.en_bare_wer_percent", "the same, bare model", "%"),
    Row("listening.rest_mb", "speech service: memory at rest", "MB"),
    Row("listening.peak_mb", "the same, peak while it hears 30 minutes", "MB"),
    Row("listening.growth", "the same, against the peak of 5 minutes", "times", 1.1, EQUAL),
    Row("listening.realtime", "30 minutes: the time it takes, of its length"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the runs."""

    least: float
    median: float
    most: float
    runs: int

    def text(self, unit: str) -> str:
        """``12–13–15 ms``, or ``13 ms`` when all runs agree or there was one."""
        parts = [short(self.least), short(self.median), short(self.most)]
        words = parts[1] if self.runs == 1 or len(set(parts)) == 1 else "–".join(parts)
        return f"{words} {unit}".rstrip()


def spreads_of(samples: Mapping[str, Sequence[Sample]]) -> dict[str, Spread]:
    """Every figure of every measure, over its runs."""
    found: dict[str, list[float]] = {}
    for runs in samples.values():
        for sample in runs:
            for key, value in sample.figures.items():
                found.setdefault(key, []).append(value)
    return {
        key: Spread(min(values), statistics.median(values), max(values), len(values))
        for key, values in found.items()
    }


def short(value: float) -> str:
    """Three digits that count."""
    if math.isnan(value):
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".removesuffix(".00")
