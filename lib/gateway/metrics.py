"""What Prometheus reads at ``/metrics``."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_MS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

DELIVERIES = Counter(
    "potok_deliveries_total", "Webhook deliveries by door and what was answered", ["door", "answer"]
)
ANSWER_SECONDS = Histogram(
    "potok_hook_seconds", "From a delivery's first byte to its answer", ["door"], buckets=_MS
)
WAITING = Gauge("potok_inbox_waiting", "Deliveries that are not done and not dead")
OLDEST_SECONDS = Gauge("potok_inbox_oldest_seconds", "Age of the oldest of them")
OPEN_BATCHES = Gauge("potok_batches_open", "Batches in the hands of runs")
RETURNED_BATCHES = Gauge("potok_batches_returned", "Batches ever taken back from a run that died")
