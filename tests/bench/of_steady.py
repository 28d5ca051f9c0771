"""Fifty messages a second: how soon the webhook answers, and how late the CRM is."""

from __future__ import annotations

from tests.bench.figures import Sample, percentile
from tests.bench.house import House
from tests.bench.load import Client
from tests.bench.measures import Options
from tests.bench.way import batch_line, crm_times_ms, ways_of

PER_S = 50.0
LASTS_S = 60
QUICK_S = 10
WITHIN_S = 120.0


async def measure(house: House, options: Options) -> Sample:
    """Requests leave on time, whether or not those before were answered."""
    count = int(PER_S * (QUICK_S if options.is_quick else LASTS_S))
    client = Client(house.settings.port)
    try:
        await house.until_quiet()
        after = await house.last_delivery()
        answers = await client.at_rate(house.requests_of(house.people.some(count)), PER_S)
        there = await house.until_in_crm(after, count, WITHIN_S)
        await house.until_quiet()
    finally:
        await client.close()
    ways = await ways_of(house, after)
    times_ms = crm_times_ms(ways)
    took_ms = [answer.took_ms for answer in answers]
    refused = sum(answer.status != 200 for answer in answers)
    late_ms = max(took_ms)
    return Sample(
        {
            "steady.crm_p50_ms": percentile(times_ms, 50),
            "steady.crm_p95_ms": percentile(times_ms, 95),
            "steady.hook_p50_ms": percentile(took_ms, 50),
            "steady.hook_p99_ms": percentile(took_ms, 99),
            "steady.missing": count - there,
        },
        [f"{count} messages, {refused} not answered 200, the slowest {late_ms:.0f} ms",
         batch_line(ways)],
    )  # fmt: skip
