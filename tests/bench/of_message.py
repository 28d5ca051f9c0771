"""One message at rest: webhook → CRM.

Should a run take longer than the half second between two messages, they wait for each other;
what a message takes alone is measured too.
"""

from __future__ import annotations

from tests.bench.figures import Sample, percentile
from tests.bench.house import House
from tests.bench.load import Client
from tests.bench.measures import Options
from tests.bench.way import Way, crm_times_ms, step_lines, ways_of

PER_S = 2.0
WARM_UPS = 5
MESSAGES = 60
QUICK = 20
ALONE = 10
QUICK_ALONE = 5
WITHIN_S = 60.0


async def measure(house: House, options: Options) -> Sample:
    """One message every half second, after a few that do not count."""
    client = Client(house.settings.port)
    try:
        before = await house.last_delivery()
        await client.at_rate(house.requests_of(house.people.some(WARM_UPS)), PER_S)
        await house.until_in_crm(before, WARM_UPS, WITHIN_S)
        await house.until_quiet()
        after = await house.last_delivery()
        count = QUICK if options.is_quick else MESSAGES
        answers = await client.at_rate(house.requests_of(house.people.some(count)), PER_S)
        there = await house.until_in_crm(after, count, WITHIN_S)
        await house.until_quiet()
        ways = await ways_of(house, after)
        alone = await _alone(house, client, QUICK_ALONE if options.is_quick else ALONE)
    finally:
        await client.close()
    times_ms = crm_times_ms(ways)
    sent_ms = [
        (way.crm_at.timestamp() - answer.sent_at) * 1000
        for way, answer in zip(ways, answers, strict=False)
        if way.crm_at
    ]
    figures = {
        "message.p50_ms": percentile(times_ms, 50),
        "message.p95_ms": percentile(times_ms, 95),
        "message.alone_p50_ms": percentile(crm_times_ms(alone), 50),
        "message.sent_p50_ms": percentile(sent_ms, 50),
        "message.hook_p50_ms": percentile([answer.took_ms for answer in answers], 50),
    }
    missing = [] if there == count else [f"{count - there} of {count} have not arrived"]
    notes = ["median of each step, one message every 0.5 s:", *step_lines(ways)]
    notes += ["median of each step, one message alone:", *step_lines(alone)]
    return Sample(figures, [*missing, *notes])


async def _alone(house: House, client: Client, count: int) -> list[Way]:
    """The ways of messages of which each is sent when nothing is under way."""
    after = await house.last_delivery()
    for request in house.requests_of(house.people.some(count)):
        before = await house.last_delivery()
        await client.send(request)
        await house.until_in_crm(before, 1, WITHIN_S)
        await house.until_quiet()
    return await ways_of(house, after)
